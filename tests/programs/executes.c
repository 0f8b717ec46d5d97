/* Executes a program by each function that does; without an argument, ends with 7. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KINDS = 11 };

/* In the child: becomes the program, by the function of that number. */
static void become(int kind, char *path)
{
    char *name = strrchr(path, '/') + 1;
    char *arguments[] = {path, NULL};
    int fd = open(path, O_RDONLY);
    switch (kind) {
    case 0:
        execl(path, path, NULL);
        break;
    case 1:
        execlp(name, path, NULL);
        break;
    case 2:
        execle(path, path, NULL, environ);
        break;
    case 3:
        execv(path, arguments);
        break;
    case 4:
        execvp(name, arguments);
        break;
    case 5:
        execvpe(name, arguments, environ);
        break;
    case 6:
        execve(path, arguments, environ);
        break;
    case 7:
        fexecve(fd, arguments, environ);
        break;
    default:
        execveat(fd, "", arguments, environ, AT_EMPTY_PATH);
    }
}

static pid_t started(int kind, char *path)
{
    char *arguments[] = {path, NULL};
    pid_t child = -1;
    if (kind == KINDS - 1) {
        posix_spawnp(&child, strrchr(path, '/') + 1, NULL, NULL, arguments, environ);
    } else if (kind == KINDS - 2) {
        posix_spawn(&child, path, NULL, NULL, arguments, environ);
    } else if ((child = vfork()) == 0) {
        become(kind, path);
        _exit(99);
    }
    return child;
}

int main(int count, char **arguments)
{
    if (count == 1) {
        return 7;
    }
    *strrchr(arguments[1], '/') = '\0';
    setenv("PATH", arguments[1], 1);
    arguments[1][strlen(arguments[1])] = '/';
    for (int kind = 0; kind < KINDS; kind++) {
        int status = -1;
        waitpid(started(kind, arguments[1]), &status, 0);
        printf("%d: %d\n", kind, WIFEXITED(status) ? WEXITSTATUS(status) : -status);
    }
    return 0;
}
