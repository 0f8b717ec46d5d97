/*
 * Every read is checked for its length, and every offset is used only with pread, so
 * numbers in a damaged file lead to a failed read.
 */
#include "probe/symbols/elf_facts.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NOTE_BYTES_MAX 4096
#define NAMES_BYTES_MAX 4096 /* more than the section names of any usual file */
#define NATIVE_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)

static bool read_whole(int fd, void *to, size_t bytes, uint64_t offset)
{
    return offset <= INT64_MAX && pread(fd, to, bytes, (off_t)offset) == (ssize_t)bytes;
}

static int header_read(int fd, ElfW(Ehdr) * ret_header)
{
    if (!read_whole(fd, ret_header, sizeof(*ret_header), 0) ||
        memcmp(ret_header->e_ident, ELFMAG, SELFMAG) != 0 ||
        ret_header->e_ident[EI_CLASS] != NATIVE_CLASS) {
        return -ENOEXEC;
    }
    return 0;
}

static bool segment_read(int fd, const ElfW(Ehdr) * header, size_t number,
                         ElfW(Phdr) * ret_segment)
{
    return number < header->e_phnum && header->e_phentsize == sizeof(*ret_segment) &&
           read_whole(fd, ret_segment, sizeof(*ret_segment),
                      header->e_phoff + number * sizeof(*ret_segment));
}

int probe_elf_address(int fd, uint64_t offset, uint64_t *ret_address)
{
    ElfW(Ehdr) header;
    int error = header_read(fd, &header);
    if (error != 0) {
        return error;
    }
    /* The loader maps whole pages, so a segment's first page may begin before it. */
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    error = -ENOENT;
    ElfW(Phdr) segment;
    for (size_t i = 0; segment_read(fd, &header, i, &segment); i++) {
        uint64_t first = segment.p_offset & ~(page - 1);
        if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0 ||
            offset < first || offset >= segment.p_offset + segment.p_filesz) {
            continue;
        }
        error = 0;
        *ret_address = segment.p_vaddr + offset - segment.p_offset;
        if (offset == first) {
            break; /* the one before may end in the same page */
        }
    }
    return error;
}

void probe_elf_build_id(const void *notes, size_t bytes, char *ret_text)
{
    const unsigned char *at = notes;
    ret_text[0] = '\0';
    ElfW(Nhdr) note;
    while (bytes >= sizeof(note)) {
        memcpy(&note, at, sizeof(note));
        /* Name and contents each take a multiple of four bytes. */
        uint64_t name = ((uint64_t)note.n_namesz + 3) & ~UINT64_C(3);
        uint64_t whole =
            sizeof(note) + name + (((uint64_t)note.n_descsz + 3) & ~UINT64_C(3));
        if (whole > bytes) {
            return;
        }
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof("GNU") &&
            memcmp(at + sizeof(note), "GNU", sizeof("GNU")) == 0) {
            const unsigned char *id = at + sizeof(note) + name;
            for (size_t i = 0; i < note.n_descsz && i < BUILD_ID_BYTES_MAX; i++) {
                snprintf(ret_text + 2 * i, 3, "%02x", id[i]);
            }
            return;
        }
        at += whole;
        bytes -= whole;
    }
}

/* Reads the notes of all segments until one has a build id. */
static void build_id_read(int fd, const ElfW(Ehdr) * header, struct elf_facts *facts)
{
    ElfW(Phdr) segment;
    for (size_t i = 0; segment_read(fd, header, i, &segment); i++) {
        char notes[NOTE_BYTES_MAX];
        size_t bytes =
            segment.p_filesz < sizeof(notes) ? segment.p_filesz : sizeof(notes);
        if (segment.p_type == PT_NOTE && facts->build_id[0] == '\0' &&
            read_whole(fd, notes, bytes, segment.p_offset)) {
            probe_elf_build_id(notes, bytes, facts->build_id);
        }
    }
}

static bool section_read(int fd, const ElfW(Ehdr) * header, size_t number,
                         ElfW(Shdr) * ret_section)
{
    return number < header->e_shnum && header->e_shentsize == sizeof(*ret_section) &&
           read_whole(fd, ret_section, sizeof(*ret_section),
                      header->e_shoff + number * sizeof(*ret_section));
}

static uint64_t section_bytes(int fd, const ElfW(Shdr) * section)
{
    ElfW(Chdr) compressed;
    if ((section->sh_flags & SHF_COMPRESSED) != 0 &&
        read_whole(fd, &compressed, sizeof(compressed), section->sh_offset)) {
        return compressed.ch_size;
    }
    return section->sh_size;
}

static void section_look(int fd, const ElfW(Shdr) * section, const char *name,
                         struct elf_facts *facts)
{
    if (section->sh_type == SHT_SYMTAB) {
        facts->has_symbols = true;
    } else if (section->sh_type == SHT_PROGBITS && strcmp(name, ".debug_line") == 0) {
        facts->line_bytes = section_bytes(fd, section);
    } else if (section->sh_type == SHT_PROGBITS &&
               strcmp(name, ".gnu_debuglink") == 0) {
        size_t room = sizeof(facts->debug_link) - 1;
        size_t bytes = section->sh_size < room ? section->sh_size : room;
        if (!read_whole(fd, facts->debug_link, bytes, section->sh_offset)) {
            bytes = 0;
        }
        facts->debug_link[bytes] = '\0';
    }
}

int probe_elf_facts_read(int fd, struct elf_facts *ret_facts)
{
    ElfW(Ehdr) header;
    *ret_facts = (struct elf_facts){.line_bytes = 0};
    int error = header_read(fd, &header);
    if (error != 0) {
        return error;
    }
    build_id_read(fd, &header, ret_facts);
    char names[NAMES_BYTES_MAX] = "";
    ElfW(Shdr) section;
    size_t names_bytes = 0;
    if (section_read(fd, &header, header.e_shstrndx, &section)) {
        names_bytes =
            section.sh_size < sizeof(names) ? section.sh_size : sizeof(names) - 1;
        if (!read_whole(fd, names, names_bytes, section.sh_offset)) {
            names_bytes = 0;
        }
        names[names_bytes] = '\0';
    }
    for (size_t i = 1; section_read(fd, &header, i, &section); i++) {
        section_look(fd, &section,
                     section.sh_name < names_bytes ? names + section.sh_name : "",
                     ret_facts);
    }
    return 0;
}
