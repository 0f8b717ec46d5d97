"""Reading metrics in Prometheus' text format, strictly."""

import dataclasses
import re

from checks import check, equal

NAME = r"[a-z_]+"
HELP = re.compile(rf"# HELP ({NAME}) (\S.*)")
TYPE = re.compile(rf"# TYPE ({NAME}) (counter|gauge)")
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? ([0-9.]+)")
LABEL = re.compile(rf'({NAME})="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


@dataclasses.dataclass
class Metric:
    """One metric: its help, its type, and its values by the values of their labels."""

    help: str
    type: str = None
    labels: tuple = ()
    values: dict = dataclasses.field(default_factory=dict)

    @property
    def value(self):
        """The value of a metric that has one sample."""
        (value,) = self.values.values()
        return value


def parse_metrics(text):
    """All metrics by name, in their order. Anything that is not as it must be fails:
    each metric has HELP, TYPE, then its samples, all with the same labels."""
    check(text.endswith("\n"), "the last line does not end")
    found = {}
    name = None
    for line in text.splitlines():
        if help_line := HELP.fullmatch(line):
            name = help_line[1]
            check(name not in found, f"{name} comes twice")
            found[name] = Metric(help_line[2])
        elif type_line := TYPE.fullmatch(line):
            equal(type_line[1], name, "name after # TYPE")
            check(found[name].type is None and not found[name].values, line)
            found[name].type = type_line[2]
        else:
            add_sample(name, found.get(name), line)
    for name, metric in found.items():
        check(metric.type and metric.values, f"{name} is not whole")
    return found


def add_sample(name, metric, line):
    sample = SAMPLE.fullmatch(line)
    check(sample and metric and metric.type, f"no sample: {line!r}")
    equal(sample[1], name, "name of a sample")
    pairs = LABEL.findall(sample[2] or "")
    equal(",".join(f'{n}="{v}"' for n, v in pairs), sample[2] or "", "labels")
    labels = tuple(n for n, _ in pairs)
    check(not metric.values or metric.labels == labels, f"other labels: {line}")
    metric.labels = labels
    key = tuple(v for _, v in pairs)
    check(key not in metric.values, f"twice: {line}")
    metric.values[key] = float(sample[3])
