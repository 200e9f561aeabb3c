/* The device's heap, memory by handle: what the pretended driver truly gave out is what we wrote down, and never beyond
 * the limit. */
#include "books.h"

/* ---- limits of a context ---- */

TEST(the_devices_heap_is_charged_refused_and_goes_with_its_context)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&client, "limit 2", "0 8388608");
    allocate(&client, 1);
    expect(&client, "limit-set 2 1073741824", "0"); /* what it has belongs to the context */
    CHECK_BOOKS(0, GIB - 8 * MIB + 1);
    expect(&client, "limit-set 2 1082130433", "2");
    expect(&client, "limit 2", "0 1073741824");
    expect(&client, "alloc 8388608", "2 0");
    expect(&client, "limit-set 1 9437184", "2");
    expect(&client, "limit-set 2 536870912", "0");
    CHECK_BOOKS(0, 504 * MIB + 1);
    expect(&client, "limit-set 1 2097152", "0");
    CHECK_BOOKS(0, 505 * MIB + 1);
    expect(&client, "limit-set 2 1", "0");
    CHECK_BOOKS(0, MIB + 1);
    expect(&client, "limit-set 0 65536", "0"); /* the stack: not ours to count */
    expect(&client, "limit-set 2 67108864", "0");
    expect(&client, "context 0", "0");
    expect(&client, "limit-set 2 67108864", "0");
    CHECK_BOOKS(0, 2 * 56 * MIB + MIB + 1);
    expect(&client, "destroy", "0");
    CHECK_BOOKS(0, 56 * MIB + MIB + 1);
    expect(&client, "primary-release 0", "0");
    CHECK_BOOKS(0, 0);
    client_end(&client);
}

TEST(a_heap_the_driver_refuses_is_not_charged)
{
    struct client client =
        started("CUDA_DEVICE_MEMORY_LIMIT_0=1g HAMI_FAKE_FAIL=cuCtxSetLimit:1:999,cuCtxGetLimit:3:1");
    expect(&client, "limit-set 2 67108864", "999");
    CHECK_EQUAL(books_bytes(0), 0);
    expect(&client, "limit-set 2 67108864", "0");
    CHECK_BOOKS(0, 56 * MIB);
    expect(&client, "no-context", "0");
    expect(&client, "limit-set 2 67108864", "201");
    client_end(&client);
}

/* ---- physical memory by handle ---- */

TEST(memory_imported_from_a_handle_is_charged_once_until_its_last_release)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    unsigned long long handle = made(&client, "create 1073741824 0");
    unsigned long long shared = made_of(&client, "export %llx", handle);
    unsigned long long again = made_of(&client, "import %llx", shared);
    CHECK_EQUAL(again, handle);
    CHECK_BOOKS(0, GIB);
    CHECK_EQUAL(ask_number(&client, "release %llx", handle), 0);
    CHECK_BOOKS(0, GIB);
    CHECK_EQUAL(ask_number(&client, "release %llx", again), 0);
    CHECK_BOOKS(0, 0);
    client_end(&client);
}

TEST(memory_of_the_host_by_handle_takes_nothing_of_a_card)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=1m");
    unsigned long long handle = made(&client, "create-host 1073741824");
    allocate(&client, MIB);
    CHECK_BOOKS(0, MIB);
    CHECK_EQUAL(ask_number(&client, "release %llx", handle), 0);
    expect(&client, "create-of-nothing", "1");
    expect(&client, "alloc 1", "2 0");
    client_end(&client);
}

TEST(a_multicast_object_takes_nothing_and_keeps_what_is_bound_to_it)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=6m CUDA_DEVICE_MEMORY_LIMIT_1=2m");
    unsigned long long object = made(&client, "multicast 4194304");
    unsigned long long first = made(&client, "create 2097152 0"), other = made(&client, "create 2097152 1");
    unsigned long long second = made(&client, "create 2097152 0"), address = made(&client, "reserve 8388608");
    expect(&client, "create 2097153 0", "2 0");
    CHECK_EQUAL(ask_number(&client, "map %llx 2097152 %llx", address, second), 0);
    CHECK_EQUAL(ask_number(&client, "multicast-bind %llx 0 %llx 2097152", object, first), 0);
    CHECK_EQUAL(ask_number(&client, "multicast-bind %llx 0 %llx 2097152", object, other), 0);
    CHECK_EQUAL(ask_number(&client, "multicast-bind-address %llx 2097152 %llx 2097152", object, address), 0);
    CHECK_EQUAL(ask_number(&client, "unmap %llx 2097152", address), 0);
    CHECK_EQUAL(ask_number(&client, "release %llx", first), 0);
    CHECK_EQUAL(ask_number(&client, "release %llx", second), 0);
    CHECK_EQUAL(ask_number(&client, "release %llx", other), 0);
    CHECK_BOOKS(0, 4 * MIB);
    CHECK_BOOKS(1, 2 * MIB);
    CHECK_EQUAL(ask_number(&client, "multicast-unbind %llx 0 0 2097152", object), 0);
    CHECK_EQUAL(ask_number(&client, "multicast-unbind %llx 0 0 2097152", object), 1);
    CHECK_BOOKS(0, 2 * MIB);
    CHECK_EQUAL(ask_number(&client, "map %llx 4194304 %llx", address, object), 0);
    CHECK_EQUAL(ask_number(&client, "release %llx", object), 0);
    CHECK_BOOKS(0, 2 * MIB); /* mapped still */
    CHECK_BOOKS(1, 2 * MIB);
    CHECK_EQUAL(ask_number(&client, "unmap %llx 4194304", address), 0);
    CHECK_BOOKS(0, 0);
    CHECK_BOOKS(1, 0);
    client_end(&client);
}
