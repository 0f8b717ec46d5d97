/* Says how many threads the kernel lists, as programs look before they give up rights;
 * with an argument, the links of that directory, by its path and without one. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static int links_of(const char *path)
{
    const char *volatile none = NULL; /* allowed from Linux 6.11 on */
    struct stat named = {0};
    struct stat opened = {0};
    stat(path, &named);
    int result =
        fstatat(open(path, O_RDONLY | O_DIRECTORY), none, &opened, AT_EMPTY_PATH);
    printf("%d %d %d\n", (int)named.st_nlink, result, (int)opened.st_nlink);
    return 0;
}

int main(int count, char **arguments)
{
    if (count > 1) {
        return links_of(arguments[1]);
    }
    struct stat all;
    struct stat relative;
    struct stat64 wide;
    int directory = open("/proc", O_RDONLY | O_DIRECTORY);
    stat("/proc/self/task", &all);
    fstatat(directory, "self/task/", &relative, 0);
    fstatat64(directory, "self/task/", &wide, 0);
    printf("%d %d %d\n", (int)all.st_nlink, (int)relative.st_nlink, (int)wide.st_nlink);
    return 0;
}
