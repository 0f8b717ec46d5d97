/* What C++ makes: arrays with a count before them, a base that is not the first part,
 * containers, shared objects. */

#include <cstring>
#include <forward_list>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cases.h"

namespace
{

struct Counted {
    ~Counted()
    {
        case_fill(text, sizeof(text));
    }
    char text[40];
};

struct First {
    virtual ~First() = default;
    char first[32] = {};
};

struct Second {
    virtual ~Second() = default;
    char second[32] = {};
};

struct Both : First, Second {
    char both[24] = {};
};

Counted *volatile held_array;
Second *volatile held_second;
std::vector<std::string> texts;
std::map<int, std::string> numbered;
std::shared_ptr<Counted> shared;
std::function<std::size_t()> function;

NOINLINE void lose_array()
{
    case_fill(new Counted[10], 400);
}

/* The pointer is behind the count. */
NOINLINE void keep_array()
{
    held_array = new Counted[10];
}

void array()
{
    lose_array();
    keep_array();
    case_ready();
}

NOINLINE void lose_object()
{
    Both *both = new Both;
    case_fill(both->both, sizeof(both->both));
}

/* The pointer is into the middle of the object. */
NOINLINE void keep_object()
{
    held_second = new Both;
}

void second_base()
{
    lose_object();
    keep_object();
    case_ready();
}

NOINLINE void keep_texts()
{
    texts.reserve(10);
    for (int i = 0; i < 10; i++) {
        texts.emplace_back(99, 'x');
    }
}

void vector_of_strings()
{
    keep_texts();
    case_ready();
}

NOINLINE void keep_numbered()
{
    for (int i = 0; i < 10; i++) {
        numbered.emplace(i, std::string(99, 'x'));
    }
}

void map_of_strings()
{
    keep_numbered();
    case_ready();
}

/* Two objects that hold each other: the classic leak. */
struct Partner {
    std::shared_ptr<Partner> other;
    char text[64] = {};
};

NOINLINE void lose_partners()
{
    auto one = std::make_shared<Partner>();
    auto two = std::make_shared<Partner>();
    one->other = two;
    two->other = one;
}

NOINLINE void keep_shared()
{
    shared = std::make_shared<Counted>();
}

void shared_pointers()
{
    lose_partners();
    keep_shared();
    case_ready();
}

NOINLINE void keep_function()
{
    char text[100];
    case_fill(text, sizeof(text));
    text[sizeof(text) - 1] = '\0';
    std::string copy(text, sizeof(text));
    function = [copy, text] { return copy.size() + std::strlen(text); };
}

void closure()
{
    keep_function();
    case_ready();
}

/* A container that was forgotten, with all that is in it. */
NOINLINE void lose_list()
{
    auto *list = new std::forward_list<std::string>;
    for (int i = 0; i < 10; i++) {
        list->emplace_front(99, 'x');
    }
}

void forgotten_list()
{
    lose_list();
    case_ready();
}

const struct lost_case cases[] = {
    {"cc-array",
     array,
     {LOST("lose_array", 1, 408, 1, 408)},
     {KEPT("keep_array", 1, 408)}},
    {"cc-second-base",
     second_base,
     {LOST("lose_object", 1, sizeof(Both), 1, sizeof(Both))},
     {KEPT("keep_object", 1, sizeof(Both))}},
    {"cc-vector", vector_of_strings, {}, {KEPT("keep_texts", 11, 320 + 1000)}},
    {"cc-map", map_of_strings, {}, {KEPT("keep_numbered", 20, 10 * (72 + 100))}},
    {"cc-shared",
     shared_pointers,
     {LOST("lose_partners", 2, 192, 1, 96)},
     {KEPT("keep_shared", 1, 56)}},
    {"cc-closure", closure, {}, {KEPT("keep_function", 2, 136 + 101)}},
    {"cc-list", forgotten_list, {LOST("lose_list", 21, 8 + 10 * 140, 1, 8)}, {}},
    {nullptr, nullptr, {}, {}},
};

} // namespace

int main(int count, char **arguments)
{
    return cases_main(count, arguments, cases);
}
