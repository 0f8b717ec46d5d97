"""The layers of the sources: which one may know which other one, by #include, by the
symbols that are linked and by what the pages' modules import, and that no two files know
each other in a circle. A failure names the file, what it knows, and the rule."""

import fnmatch
import glob
import os
import re
import subprocess

import pytest

from tree import BUILD, ROOT

# One worker: the symbols of all objects are read once.
pytestmark = pytest.mark.xdist_group("rooms")

# The layer of a file: that of the first of these that its path begins with.
LAYERS = (
    ("base/", "base"),
    ("probe/preload/", "preload"),
    ("probe/listener/", "listener"),
    ("probe/", "probe"),
    ("leakprobe/", "launcher"),
    ("common/variant.h", "variant"),
    ("common/runtime/", "runtime"),
    ("common/scenario", "scenario"),
    ("common/options.", "options"),
    ("common/server/", "server"),
    ("common/page/", "page"),
    ("common/", "main"),
    ("leaky/", "pairs"),
    ("fixed/", "pairs"),
    ("leakcheck/measure/", "measure"),
    ("leakcheck/judge/", "judge"),
    ("leakcheck/report/", "report"),
    ("leakcheck/", "leakcheck"),
)

# Which other layers a layer may know. "preload" is the library for other programs, with
# "listener" as its HTTP server; "options" is the command line of the servers; "page" is
# the lab's page; "leakcheck" is the judge's main and command line.
MAY_KNOW = {
    "base": "",
    "probe": "base",
    "listener": "probe base",
    "preload": "listener probe base",
    "launcher": "base",
    "variant": "",
    "runtime": "base",
    "scenario": "runtime base",
    "options": "variant probe base",
    "server": "options variant scenario runtime probe base",
    "page": "probe",
    "main": "server options variant scenario runtime probe base",
    "pairs": "scenario runtime variant",
    "measure": "base",
    "judge": "measure base",
    "report": "judge measure base",
    "leakcheck": "report judge measure base",
}

# Headers of libraries that are for these parts alone.
OWN_LIBRARIES = {
    "civetweb.h": ("common/server/",),
    "gperftools/": ("probe/heap/",),
    "elfutils/": ("probe/symbols/", "leakcheck/measure/"),
    "dwarf.h": ("probe/symbols/", "leakcheck/measure/"),
    "gelf.h": ("leakprobe/", "leakcheck/measure/"),
    "libunwind.h": ("probe/recorder/",),
}

# Headers of libraries that a layer does without: in another program, that program's own
# functions of these names would take the place of the library's.
FOREIGN_LIBRARIES = dict.fromkeys(
    ("probe", "listener", "preload"), ("cjson/", "curl/", "sqlite3.h", "uthash.h")
)

# Needed below where it is defined, by design: scenario_list.c has the descriptors, each
# server has a variant, and a leaked thread asks the guard rails (see scenario.h).
LINKED_UPWARDS = {
    ("scenario", "pairs"): r"\w+_scenario",
    ("options", "pairs"): "variant",
    ("server", "pairs"): "variant",
    ("main", "pairs"): "variant",
}


def layer_of(path):
    """The layer of a file; None if it has none."""
    return next((layer for start, layer in LAYERS if path.startswith(start)), None)


def may_know(path, target):
    """Whether a file may know another one."""
    layer, other = layer_of(path), layer_of(target)
    return layer == other or other in MAY_KNOW.get(layer, "").split()


# -- what the sources include ----------------------------------------------------------


# Where the sources of the programs are.
FOLDERS = ("base", "probe", "common", "leaky", "fixed", "leakcheck", "leakprobe")


def read_sources():
    """The text of every C file and header of the programs, by path."""
    sources = {}
    for folder in FOLDERS:
        for path in glob.glob(f"{ROOT}/{folder}/**/*.[ch]", recursive=True):
            with open(path, encoding="utf-8") as file:
                sources[os.path.relpath(path, ROOT)] = file.read()
    return sources


def included(text, opening):
    """The names that are included: opening is '"' or '<'."""
    pattern = rf'^[ \t]*#[ \t]*include[ \t]*{opening}([^">]+)[">]'
    return re.findall(pattern, text, re.MULTILINE)


def include_edges(sources):
    """(file, file that it includes), found as the compiler finds it."""
    edges = []
    for path, text in sources.items():
        for name in included(text, '"'):
            places = (os.path.dirname(path), "", "common")
            found = [os.path.normpath(os.path.join(place, name)) for place in places]
            target = next((place for place in found if place in sources), None)
            assert target, f'{path} includes "{name}", which is not there'
            edges.append((path, target))
    return edges


def wrong_includes(sources):
    """Includes that no rule allows, in words."""
    return [
        f"{path} includes {target}: {layer_of(path)} may not know {layer_of(target)}"
        for path, target in include_edges(sources)
        if not may_know(path, target)
    ]


def wrong_libraries(sources):
    """Headers of libraries outside of their part, in words."""
    return [
        f"{path} includes <{name}>: that is for {' and '.join(owners)} alone"
        for path, text in sources.items()
        for name in included(text, "<") + included(text, '"')
        for library, owners in OWN_LIBRARIES.items()
        if name.startswith(library) and not path.startswith(owners)
    ] + [
        f"{path} includes <{name}>: {layer_of(path)} does without it"
        for path, text in sources.items()
        for name in included(text, "<")
        if name.startswith(FOREIGN_LIBRARIES.get(layer_of(path), ()))
    ]


# -- what the pages' modules import ----------------------------------------------------

# Where the servers have the modules, and where the sources are; see live.c, lab_page.c.
MODULES = (("/page/lab/", "common/page/"), ("/page/", "probe/web/files/"))


def read_modules():
    """The text of every module of the pages, by path."""
    modules = {}
    for _, folder in MODULES:
        for path in glob.glob(f"{ROOT}/{folder}*.js"):
            with open(path, encoding="utf-8") as file:
                modules[os.path.relpath(path, ROOT)] = file.read()
    return modules


def import_edges(modules):
    """(module, module that it imports)."""
    edges = []
    for path, text in modules.items():
        for name in re.findall(r'\b(?:from|import)[\s(]*"([^"]+)"', text):
            served, folder = next(each for each in MODULES if name.startswith(each[0]))
            target = folder + name.removeprefix(served)
            assert target in modules, f"{path} imports {name}, which is not there"
            edges.append((path, target))
    return edges


def wrong_imports(modules):
    """Imports that no rule allows, in words."""
    return [
        f"{path} imports {target}: {layer_of(path)} may not know {layer_of(target)}"
        for path, target in import_edges(modules)
        if not may_know(path, target)
    ]


# -- what the objects need -------------------------------------------------------------


# Files of the library for other programs, which is compiled apart, and of the build over
# the C library's allocator.
LIBRARY_ONLY = r"^probe/(listener|preload)/|_preload\.c$"
OTHER_BUILD = r"_libc\.c$"

# Where functions of other libraries are that the probe puts itself in front of.
INTERPOSING = ("probe/preload/", "probe/calls/")


def compiled_of(path):
    """The object of a source file."""
    folder = "pic" if re.search(LIBRARY_ONLY, path) else "objects"
    return f"{BUILD}/{folder}/{path[:-2]}.o"


def read_interposed():
    """A pattern for the functions of other libraries that the probe puts itself in
    front of: a file that calls one does not know the probe's."""
    with open(f"{ROOT}/probe/preload/exports.map", encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL)
    names = re.findall(r"([\w*]+);", text.split("local:")[0])
    patterns = [
        fnmatch.translate(each) for each in names if not each.startswith("leakprobe_")
    ]
    return re.compile("|".join(patterns))


def read_symbols(paths):
    """What each object defines for others, and what it needs: two sets of names, without
    the definitions of interposed functions, and without names of the compiler's own."""
    interposed = read_interposed()
    sources = {}  # of each object
    for path in paths:
        compiled = compiled_of(path)
        if re.search(OTHER_BUILD, path) and not os.path.exists(compiled):
            continue
        assert os.path.exists(compiled), f"{compiled} is missing: make build first"
        source_time = os.path.getmtime(os.path.join(ROOT, path))
        assert os.path.getmtime(compiled) >= source_time, f"{compiled} is out of date"
        sources[compiled] = path
    rows = subprocess.run(
        ["nm", "--extern-only", "--format=posix", "--print-file-name", *sources],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    ).stdout.splitlines()
    symbols = {path: (set(), set()) for path in sources.values()}
    for row in rows:
        compiled, name, kind, *_ = re.split(r":? ", row)
        path = sources[compiled]
        defined, needed = symbols[path]
        if kind in "Uwv":
            needed.add(name)
        elif "." not in name and not (
            path.startswith(INTERPOSING) and interposed.match(name)
        ):
            defined.add(name)
    return symbols


# The programs that are linked from each folder; longer paths first.
PROGRAMS = (
    ("probe/listener/", "library"),
    ("probe/preload/", "library"),
    ("base/", "leaky fixed leakcheck leakprobe library"),
    ("probe/", "leaky fixed library"),
    ("common/", "leaky fixed"),
)


def programs_of(path):
    """The programs that an object is linked into."""
    if re.search(LIBRARY_ONLY, path):
        return {"library"}
    if re.search(r"_(gperftools|libc)\.c$", path):
        return {"leaky", "fixed"}
    own = path.split("/", maxsplit=1)[0]
    return set(
        next((each for at, each in PROGRAMS if path.startswith(at)), own).split()
    )


def call_edges(symbols):
    """(file, file that defines what it needs, symbol). Two programs may use a name for
    two things; each then means its own."""
    definers = {}
    for path, (defined, _) in symbols.items():
        for name in defined:
            definers.setdefault(name, []).append(path)
    edges = []
    for path, (_, needed) in symbols.items():
        for name in sorted(needed):
            targets = definers.get(name, [])
            own = [each for each in targets if programs_of(each) & programs_of(path)]
            edges += [(path, target, name) for target in own or targets]
    return edges


def wrong_calls(symbols):
    """Symbols of a layer that no rule allows, in words."""
    wrong = []
    for path, target, name in call_edges(symbols):
        upwards = LINKED_UPWARDS.get((layer_of(path), layer_of(target)))
        if may_know(path, target) or (upwards and re.fullmatch(upwards, name)):
            continue
        rule = f"{layer_of(path)} may not know {layer_of(target)}"
        wrong.append(f"{path} needs {name} of {target}: {rule}")
    return wrong


def wrong_names(symbols):
    """Global symbols of the probe without its prefix, in words: it is linked into the
    programs of others. Their programmers may call what begins with leakprobe_."""
    return [
        f"{path} defines {name}, which does not begin with probe_"
        for path, (defined, _) in symbols.items()
        for name in sorted(defined)
        if path.startswith("probe/") and not name.startswith(prefixes_of(path))
    ]


def prefixes_of(path):
    """What the global symbols of a file of the probe begin with."""
    return ("probe_", "leakprobe_") if layer_of(path) == "preload" else ("probe_",)


# -- circles ---------------------------------------------------------------------------


def circles(edges):
    """A circle through each file that is in one, as "a -> b -> a", each circle once."""
    knows = {}
    for path, target in edges:
        if path != target:
            knows.setdefault(path, set()).add(target)
    found = set()
    for start in knows:
        way = way_back(knows, start)
        if way:
            first = way.index(min(way))
            way = way[first:] + way[:first]
            found.add(" -> ".join(way + way[:1]))
    return sorted(found)


def way_back(knows, start):
    """The shortest way from a file to itself, as the list of files on it; or None."""
    ways = [[start]]
    seen = set()
    for way in ways:
        for target in sorted(knows.get(way[-1], ())):
            if target == start:
                return way
            if target not in seen:
                seen.add(target)
                ways.append(way + [target])
    return None


def calls_of_files(symbols):
    """(file, file that it needs) without the pairs: the list of scenarios names their
    descriptors, and one of them asks the guard rails."""
    return [
        (path, target)
        for path, target, _ in call_edges(symbols)
        if "pairs" not in (layer_of(path), layer_of(target))
    ]


# -- the sources keep the rules --------------------------------------------------------


@pytest.fixture(name="sources", scope="module")
def all_sources():
    """Every source with its text."""
    sources = read_sources()
    assert len(sources) > 150, f"only {len(sources)} files were found"
    return sources


@pytest.fixture(name="symbols", scope="module")
def all_symbols(sources):
    """The symbols of every object."""
    return read_symbols(path for path in sources if path.endswith(".c"))


def report(broken):
    """Fails with one line for each broken rule."""
    assert not broken, "\n" + "\n".join(broken)


def test_every_file_has_a_layer(sources):
    """A new folder is given its place in LAYERS."""
    report([f"{path} is in no layer" for path in sources if layer_of(path) is None])


def test_includes_go_one_way(sources):
    """No file includes a header of a layer that it may not know."""
    report(wrong_includes(sources))


def test_symbols_go_one_way(symbols):
    """The same for what is linked, also where a file declares it without a header."""
    assert len(call_edges(symbols)) > 500
    report(wrong_calls(symbols))


def test_libraries_stay_in_their_part(sources):
    """Only common/server knows civetweb, only probe/heap gperftools, and the probe no
    cJSON."""
    report(wrong_libraries(sources))
    for library, owners in OWN_LIBRARIES.items():
        for owner in owners:
            assert any(
                name.startswith(library) and path.startswith(owner)
                for path, text in sources.items()
                for name in included(text, "<")
            ), f"no file of {owner} includes {library}"


def test_the_probes_symbols_have_its_prefix(symbols):
    """They cannot clash with those of a program that the probe is linked into."""
    report(wrong_names(symbols))


def test_no_circle_of_includes(sources):
    """No header includes itself by way of others."""
    report(circles(include_edges(sources)))


def test_no_circle_of_calls(symbols):
    """No two files need each other's functions, directly or by way of others."""
    report(circles(calls_of_files(symbols)))


def test_the_pages_modules_keep_the_rules_too():
    """The live page knows nothing of the lab's, and no two modules know each other."""
    modules = read_modules()
    assert len(import_edges(modules)) > 30, f"few imports in {list(modules)}"
    report(wrong_imports(modules))
    report(circles(import_edges(modules)))


# -- and what breaks a rule is seen ----------------------------------------------------


@pytest.mark.parametrize(
    "path, other",
    (
        ("base/a.c", "probe/heap/b.h"),
        ("base/a.c", "common/b.h"),
        ("probe/heap/a.c", "common/server/b.h"),
        ("probe/heap/a.c", "common/scenario.h"),
        ("probe/heap/a.c", "common/runtime/b.h"),
        ("probe/heap/a.c", "probe/preload/b.h"),
        ("probe/heap/a.c", "probe/listener/b.h"),
        ("probe/listener/a.c", "probe/preload/b.h"),
        ("probe/preload/a.c", "common/server/b.h"),
        ("leakprobe/a.c", "probe/preload/b.h"),
        ("leakprobe/a.c", "leakcheck/measure/b.h"),
        ("common/server/a.c", "probe/listener/b.h"),
        ("common/runtime/a.c", "common/scenario.h"),
        ("common/runtime/a.c", "probe/heap/b.h"),
        ("common/scenario.c", "common/server/b.h"),
        ("common/scenario.c", "probe/heap/b.h"),
        ("common/server/a.c", "common/stop.h"),
        ("common/server/a.c", "leakcheck/judge/b.h"),
        ("leaky/a.c", "common/server/b.h"),
        ("leaky/a.c", "probe/heap/b.h"),
        ("leakcheck/measure/a.c", "leakcheck/judge/b.h"),
        ("leakcheck/measure/a.c", "leakcheck/report/b.h"),
        ("leakcheck/judge/a.c", "leakcheck/report/b.h"),
        ("leakcheck/judge/a.c", "leakcheck/options.h"),
        ("leakcheck/measure/a.c", "probe/heap/b.h"),
        ("leakcheck/report/a.c", "common/scenario.h"),
    ),
)
def test_a_wrong_arrow_is_seen(path, other):
    """By the include, and by the symbol alone."""
    assert wrong_includes({path: f'#include "{other}"\n', other: ""})
    definer = other[:-2] + ".c"
    symbols = {path: (set(), {"name"}), definer: ({"name"}, set())}
    assert wrong_calls(symbols)
    assert not wrong_includes({path: "", other: ""})


def test_a_wrong_library_and_a_wrong_name_are_seen():
    """A library outside of its part; a symbol of the probe without its prefix."""
    assert wrong_libraries({"probe/http/a.c": "#include <civetweb.h>\n"})
    assert wrong_libraries({"leaky/a.c": "# include <gperftools/heap-profiler.h>\n"})
    assert not wrong_libraries({"common/server/a.c": "#include <civetweb.h>\n"})
    for room in ("http", "listener", "preload"):
        assert wrong_libraries({f"probe/{room}/a.c": "#include <cjson/cJSON.h>\n"})
    assert not wrong_libraries({"common/server/a.c": "#include <cjson/cJSON.h>\n"})
    assert wrong_names({"probe/heap/a.c": ({"probe_a", "other"}, set())})
    assert not wrong_names({"probe/heap/a.c": ({"probe_a"}, {"other"})})
    assert wrong_names({"probe/heap/a.c": ({"leakprobe_a"}, set())})
    assert not wrong_names({"probe/preload/a.c": ({"leakprobe_a"}, set())})


def test_a_wrong_import_is_seen():
    """The live page imports a module of the lab's page, in one line and in several."""
    lab = {"common/page/a.js": ""}
    for text in (
        'import {a} from "/page/lab/a.js";',
        'import {\n    a,\n}\n    from "/page/lab/a.js";',
        'const a = await import("/page/lab/a.js");',
    ):
        assert wrong_imports(lab | {"probe/web/files/b.js": text})
        assert not wrong_imports(lab | {"common/page/b.js": text})


def test_a_circle_is_seen():
    """Of headers, of calls, and a longer one."""
    sources = {"base/a.h": '#include "base/b.h"\n', "base/b.h": '#include "a.h"\n'}
    assert circles(include_edges(sources)) == ["base/a.h -> base/b.h -> base/a.h"]
    symbols = {"base/a.c": ({"a"}, {"b"}), "base/b.c": ({"b"}, {"a", "malloc"})}
    assert circles(calls_of_files(symbols)) == ["base/a.c -> base/b.c -> base/a.c"]
    edges = [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")]
    assert circles(edges) == ["a -> b -> c -> a"]
    assert circles(edges[1:]) == []
