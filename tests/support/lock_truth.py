"""What /debug/locks must say of a model of locks (lock_model.py) whose threads are all
blocked, ended or at rest: all that is certain, and nothing else."""


def holder(wait):
    """The thread that alone can release what is waited for, if that is known."""
    return wait.what.owner


def certain_holder(thread):
    """Whom the thread waits for, for ever if that one does not go on: it must wait
    without a time limit. Nobody returns from waiting for a condition without its mutex,
    signalled or not; who still has it in part, as it is recursive, waits for nobody.
    Another process may be the owner of a lock in memory that several may have."""
    wait = thread.wait
    if wait is None or wait.kind == "join" or wait.what.shared:
        return None
    if wait.kind == "condition":
        return None if holder(wait) is thread else holder(wait)
    return None if wait.timed else holder(wait)


def cycles(model):
    """Each cycle, as a list of threads of which each waits for the next one."""
    found, known = [], set()
    for start in model.threads:
        path, thread = [], start
        while thread and thread not in path and thread not in known:
            path.append(thread)
            thread = certain_holder(thread)
        known |= set(path)
        if thread in path:
            found.append(path[path.index(thread) :])
    return found


def is_seen(thread):
    """Whether the kernel shows that it waits for a lock; it does not of a thread that
    glibc has sent to sleep, who may as well be in the condition still."""
    wait = thread.wait
    in_vain = thread.waits_for_lock and wait.lost and wait.wants != "mutex"
    return thread.waits_for_lock and not in_vain


def verdicts(model):
    """What is certain of each thread that waits for a lock, or for a condition in
    vain."""
    found = {each: "waits" for each in model.threads if each.wait}
    for thread in (each for cycle in cycles(model) for each in cycle):
        found[thread] = "deadlock"
    for thread in found:
        owner = certain_holder(thread)
        if owner and owner.ended:
            found[thread] = "never_released"
    grows = True
    while grows:
        waiting = [thread for thread, verdict in found.items() if verdict == "waits"]
        behind = {thread: certain_holder(thread) for thread in waiting}
        claimed = {each for each, verdict in found.items() if verdict != "waits"}
        stuck = [each for each in waiting if behind[each] in claimed]
        found |= dict.fromkeys(stuck, "stuck")
        grows = stuck
    return {
        thread: verdict
        for thread, verdict in found.items()
        if is_seen(thread) or verdict != "waits"
    }


def never_released(model):
    """Locks whose owner has ended, with those who wait for it for ever."""
    found = {}
    for thread, verdict in verdicts(model).items():
        if verdict == "never_released":
            found.setdefault(thread.wait.what, []).append(thread)
    return found


def holders(model):
    """Threads that hold what others wait for, and wait for no lock themselves."""
    waiting = verdicts(model)
    owners = {holder(each.wait) for each in waiting if not each.wait.what.shared}
    return {
        each
        for each in owners
        if each and not each.ended and not each.foreign and each not in waiting
    }
