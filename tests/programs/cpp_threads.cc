// Threads in C++: std::thread and std::async. Says "ready", and waits for the end of
// its input.
#include <cstdio>
#include <future>
#include <thread>
#include <unistd.h>

static void stay()
{
    for (;;) {
        pause();
    }
}

__attribute__((noinline)) static void stays_detached()
{
    std::thread(stay).detach();
}

__attribute__((noinline)) static void stays_kept()
{
    static std::thread kept[2] = {std::thread(stay), std::thread(stay)};
}

__attribute__((noinline)) static void gone_joined()
{
    int done = 0;
    std::thread thread([&done] { done++; });
    thread.join();
    if (done != 1) {
        _exit(3);
    }
}

__attribute__((noinline)) static void gone_async()
{
    if (std::async(std::launch::async, [] { return 7; }).get() != 7) {
        _exit(3);
    }
}

int main()
{
    stays_detached();
    stays_kept();
    gone_joined();
    gone_async();
    std::printf("ready %d\n", (int)getpid());
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
    _exit(0);
}
