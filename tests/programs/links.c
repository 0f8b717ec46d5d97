/* Says how many threads the kernel lists, as programs look before they give up rights.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

int main(void)
{
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
