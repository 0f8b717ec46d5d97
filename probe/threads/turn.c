/*
 * Each thread takes the next number, and waits until that number is served.
 */
#include "probe/threads/turn.h"

void probe_turn_wait(struct turn *turn)
{
    pthread_mutex_lock(&turn->mutex);
    uint64_t number = turn->drawn++;
    while (turn->served != number) {
        pthread_cond_wait(&turn->passed, &turn->mutex);
    }
    pthread_mutex_unlock(&turn->mutex);
}

void probe_turn_pass(struct turn *turn)
{
    pthread_mutex_lock(&turn->mutex);
    turn->served++;
    pthread_cond_broadcast(&turn->passed);
    pthread_mutex_unlock(&turn->mutex);
}
