/*
 * What becomes of the notes in a forked child. It has copies of the descriptors and the
 * mappings; of the threads it has the one that forked, and it has no timers and no
 * children.
 */
#ifndef PROBE_RESOURCES_RESOURCES_FORK_H
#define PROBE_RESOURCES_RESOURCES_FORK_H

/* Around fork: no other thread may be changing a table while the process is copied. The
 * first is called before probe_recorder_fork_prepare, whose locks are taken by whoever
 * holds one of these; the others after the recorder's. */
void probe_resources_fork_prepare(void);
void probe_resources_fork_parent(void);
void probe_resources_fork_child(void);

#endif
