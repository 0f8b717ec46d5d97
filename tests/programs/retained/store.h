/* A library that keeps blocks: for the program, and for each thread. */
#ifndef RETAINED_STORE_H
#define RETAINED_STORE_H

void store_keep(void *block);
void store_keep_own(void *block);

#endif
