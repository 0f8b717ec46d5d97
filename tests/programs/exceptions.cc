// Exceptions through several frames, in four threads that allocate meanwhile. Prints
// how many were caught; then it waits for the end of its input.

#include <atomic>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace
{

constexpr int threads = 4;
constexpr int times = 2000;
std::atomic<long> caught{0}, ended{0};
std::vector<std::unique_ptr<std::string>> kept[threads];

struct Guard {
    std::string text = std::string(100, 'g');
    ~Guard()
    {
        ended += text.size() / 100;
    }
};

void descend(int depth, int number)
{
    Guard guard;
    if (depth == 0) {
        throw std::runtime_error("number " + std::to_string(number) +
                                 std::string(50, '.'));
    }
    descend(depth - 1, number);
    guard.text += "never";
}

__attribute__((noinline)) void keep_string(int thread)
{
    kept[thread].push_back(std::make_unique<std::string>(500, 'k'));
}

void work(int thread)
{
    for (int i = 0; i < times; i++) {
        try {
            descend(8, i);
        } catch (const std::exception &error) {
            caught += std::string(error.what()).find(std::to_string(i)) == 7;
        }
        if (i % 10 == 0) {
            keep_string(thread);
        }
    }
}

} // namespace

int main()
{
    std::vector<std::thread> started;
    for (int i = 0; i < threads; i++) {
        started.emplace_back(work, i);
    }
    for (auto &each : started) {
        each.join();
    }
    std::cout << "caught " << caught << " ended " << ended << std::endl;
    std::string line;
    while (std::getline(std::cin, line)) {
    }
    return 6;
}
