/*
 * The probe's notes in the servers: who made what is open or alive, and who waits for
 * which lock.
 */
#ifndef INSTRUMENTS_H
#define INSTRUMENTS_H

/* Begins to note, after the symbols are loaded and before the server has threads. If
 * something cannot be noted, its page says why. */
void instruments_note(void);

#endif
