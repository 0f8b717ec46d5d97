"""What /debug/locks must say of a model of locks (lock_model.py) whose threads are all
blocked, ended or at rest: all that is certain, and nothing else."""


def holder(wait):
    """The thread that alone can release what is waited for, if that is known."""
    return wait.what.owner


def certain_holder(thread):
    """Whom the thread waits for, for ever if that one does not go on: it must wait
    without a time limit."""
    wait = thread.wait
    return holder(wait) if thread.waits_for_lock and not wait.timed else None


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


def verdicts(model):
    """What is certain of each thread that waits for a lock."""
    found = {each: "waits" for each in model.threads if each.waits_for_lock}
    for thread in (each for cycle in cycles(model) for each in cycle):
        found[thread] = "deadlock"
    for thread in found:
        owner = certain_holder(thread)
        # Another process may be the owner of a lock that several share.
        if owner and owner.ended and not thread.wait.what.shared:
            found[thread] = "never_released"
    grows = True
    while grows:
        stuck = [
            thread
            for thread, verdict in found.items()
            if verdict == "waits" and found.get(certain_holder(thread), "waits") != "waits"
        ]
        found |= dict.fromkeys(stuck, "stuck")
        grows = stuck
    return found


def never_released(model):
    """Locks whose owner has ended, with those who wait for it for ever."""
    found = {}
    for thread, verdict in verdicts(model).items():
        if verdict == "never_released":
            found.setdefault(thread.wait.what, []).append(thread)
    return found


def holders(model):
    """Threads that hold what others wait for, and wait for no lock themselves."""
    owners = {holder(each.wait) for each in model.threads if each.waits_for_lock}
    return {
        each for each in owners if each and not each.ended and not each.waits_for_lock
    }
