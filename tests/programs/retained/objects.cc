/* Blocks that C++ objects hold: names are those of the source, with namespaces. */
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cases.h"

namespace shop
{

struct Order {
    char text[300];
};

class Desk
{
  public:
    static Order *volatile last;
    APART void take();

  private:
    std::vector<std::unique_ptr<Order>> orders;
};

Order *volatile Desk::last;
Desk desk;
std::map<int, std::string> prices;

APART static Order *order_make()
{
    return static_cast<Order *>(TOLD(new Order()));
}

void Desk::take()
{
    orders.emplace_back(order_make());
}

} // namespace shop

namespace
{
std::list<shop::Order *> hidden;
}

APART static shop::Order *hidden_make()
{
    return static_cast<shop::Order *>(TOLD(new shop::Order[2]));
}

/* 1: 300 @ shop::order_make < shop::Desk::take < global shop::desk
 * 1: 8 @ shop::Desk::take < global shop::desk */
static void case_vector()
{
    shop::desk.take();
}

APART static shop::Order *last_make()
{
    return static_cast<shop::Order *>(TOLD(new shop::Order()));
}

/* 1: 300 @ last_make < global shop::Desk::last */
static void case_class_static()
{
    shop::Desk::last = last_make();
}

APART static void price_add(int number)
{
    shop::prices[number] = "a text that does not fit into the string itself";
}

/* The nodes of the map, and its strings' texts.
 * 8: * @ price_add < global shop::prices */
static void case_map()
{
    for (int i = 0; i < 4; i++) {
        price_add(i);
    }
}

APART static void hidden_add(shop::Order *order)
{
    hidden.push_back(order);
}

/* 1: 600 @ hidden_make < hidden_add < global (anonymous namespace)::hidden
 * 1: 24 @ hidden_add < global (anonymous namespace)::hidden */
static void case_anonymous_namespace()
{
    hidden_add(hidden_make());
}

APART static std::string *pocket_make()
{
    return static_cast<std::string *>(TOLD(new std::string(3, 'x')));
}

/* 1: 32 @ pocket_make < global case_function_static::pocket */
static void case_function_static()
{
    static std::unique_ptr<std::string> pocket;
    pocket.reset(pocket_make());
}

int main(int argc, char **argv)
{
    static const struct held_case cases[] = {
        {"vector", case_vector, false},
        {"class_static", case_class_static, false},
        {"map", case_map, false},
        {"anonymous_namespace", case_anonymous_namespace, false},
        {"function_static", case_function_static, false},
    };
    return cases_main(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
