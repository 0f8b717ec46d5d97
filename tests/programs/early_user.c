/* Has its library keep a block where the library's constructor made room for it. Says
 * "ready", and ends with its input. */
#include <unistd.h>

void early_store(void);

int main(void)
{
    char byte;
    early_store();
    return write(STDOUT_FILENO, "ready\n", 6) != 6 || read(STDIN_FILENO, &byte, 1) != 0;
}
