/* Memory nodes of graphs: what the pretended driver truly gave out is what we wrote down, and never beyond the limit.
 */
#include <stdio.h>

#include "books.h"

TEST(memory_of_graphs_is_charged_from_the_launch_to_the_trim)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    unsigned long long graph = made(&client, "graph");
    unsigned long long pointer = made_of(&client, "graph-alloc %llx 67108864 0", graph);
    unsigned long long exec = made_of(&client, "instantiate %llx 0", graph);
    allocate(&client, 1);
    CHECK_BOOKS(0, 1);
    CHECK_EQUAL(ask_number(&client, "launch %llx", exec), 0);
    CHECK_BOOKS(0, 64 * MIB + 1);
    CHECK_EQUAL(ask_number(&client, "launch %llx", exec), 1); /* not before what it left is freed */
    expect(&client, "graph-trim 0", "0");
    CHECK_BOOKS(0, 64 * MIB + 1);
    CHECK_EQUAL(ask_number(&client, "free-async %llx", pointer), 0);
    CHECK_BOOKS(0, 64 * MIB + 1);
    CHECK_EQUAL(ask_number(&client, "launch %llx", exec), 0);
    CHECK_EQUAL(ask_number(&client, "free %llx", pointer), 0);
    CHECK_EQUAL(ask_number(&client, "exec-end %llx", exec), 0);
    CHECK_BOOKS(0, 64 * MIB + 1);
    expect(&client, "graph-trim 0", "0");
    CHECK_BOOKS(0, 1);
    client_end(&client);
}

TEST(a_graph_whose_memory_does_not_fit_is_not_launched)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=128m");
    unsigned long long graph = made(&client, "graph"), larger = made(&client, "graph");
    made_of(&client, "graph-alloc %llx 67108864 0", graph);
    made_of(&client, "graph-alloc %llx 134217729 0", larger);
    unsigned long long exec = made_of(&client, "instantiate-old %llx", graph);
    unsigned long long never = made_of(&client, "instantiate %llx 0", larger);
    unsigned long long plain = allocate(&client, 64 * MIB + 1);
    CHECK_EQUAL(ask_number(&client, "launch %llx", exec), 2);
    CHECK_EQUAL(ask_number(&client, "launch-per-thread %llx", exec), 2);
    CHECK_EQUAL(ask_number(&client, "upload %llx", exec), 2);
    char question[64];
    snprintf(question, sizeof question, "instantiate %llx 2", graph); /* uploads at once */
    expect(&client, question, "2 0");
    snprintf(question, sizeof question, "instantiate-with %llx 2", graph);
    expect(&client, question, "2 0");
    CHECK_BOOKS(0, 64 * MIB + 1);
    CHECK_EQUAL(ask_number(&client, "free %llx", plain), 0);
    CHECK_EQUAL(ask_number(&client, "launch %llx", never), 2);
    CHECK_EQUAL(ask_number(&client, "upload %llx", exec), 0);
    CHECK_EQUAL(ask_number(&client, "launch-per-thread %llx", exec), 0);
    CHECK_BOOKS(0, 64 * MIB);
    unsigned long long second = made_of(&client, "instantiate-with %llx 0", graph);
    CHECK_EQUAL(ask_number(&client, "exec-end %llx", second), 0);
    allocate(&client, 64 * MIB);
    expect(&client, "alloc 1", "2 0");
    CHECK_EQUAL(ledger_peak_bytes(0), 128 * MIB);
    client_end(&client);
}

TEST(graphs_share_what_they_do_not_use_at_the_same_time)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=64m");
    unsigned long long exec[3];
    for (int i = 0; i < 3; i++) { /* each frees one half before it takes the other */
        unsigned long long graph = made(&client, "graph"), child = made(&client, "graph");
        for (int half = 0; half < 2; half++) {
            unsigned long long pointer = made_of(&client, "graph-alloc %llx 67108864 0", child);
            CHECK_EQUAL(ask_number(&client, "graph-free %llx %llx", child, pointer), 0);
        }
        CHECK_EQUAL(ask_number(&client, "graph-child %llx %llx", graph, child), 0);
        exec[i] = made_of(&client, "instantiate %llx 0", graph);
    }
    for (int round = 0; round < 9; round++)
        CHECK_EQUAL(ask_number(&client, "launch %llx", exec[round % 3]), 0);
    CHECK_BOOKS(0, 64 * MIB);
    allocate(&client, 64 * MIB); /* what graphs keep is given back before anything is refused */
    CHECK_EQUAL(ask_number(&client, "launch %llx", exec[0]), 2);
    CHECK_BOOKS(0, 64 * MIB);
    CHECK_EQUAL(ledger_peak_bytes(0), 64 * MIB);
    client_end(&client);
}

TEST(what_a_graph_leaves_is_not_lent_to_another)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=96m");
    unsigned long long freeing = made(&client, "graph"), leaving = made(&client, "graph");
    unsigned long long pointer = made_of(&client, "graph-alloc %llx 67108864 0", freeing);
    CHECK_EQUAL(ask_number(&client, "graph-free %llx %llx", freeing, pointer), 0);
    made_of(&client, "graph-alloc %llx 67108864 0", leaving);
    unsigned long long first = made_of(&client, "instantiate %llx 0", freeing);
    unsigned long long second = made_of(&client, "instantiate %llx 0", leaving);
    CHECK_EQUAL(ask_number(&client, "launch %llx", first), 0);
    CHECK_EQUAL(ask_number(&client, "launch %llx", second), 0);
    CHECK_BOOKS(0, 64 * MIB);
    CHECK_EQUAL(ask_number(&client, "launch %llx", first), 2);
    CHECK_BOOKS(0, 64 * MIB);
    CHECK_EQUAL(ledger_peak_bytes(0), 64 * MIB);
    client_end(&client);
}

TEST(what_is_asked_of_a_captured_stream_is_charged_when_the_graph_runs)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=64m");
    allocate(&client, 1);
    expect(&client, "capture 1", "0");
    unsigned long long kept = made(&client, "async-on 1 33554432");
    unsigned long long freed = made(&client, "async-on 1 16777216");
    CHECK_EQUAL(ask_number(&client, "free-on 1 %llx", freed), 0);
    unsigned long long beyond = made(&client, "async-on 1 1073741824"); /* a node, not memory */
    CHECK_EQUAL(ask_number(&client, "free-on 1 %llx", beyond), 0);
    CHECK_BOOKS(0, 1);
    unsigned long long graph = made(&client, "capture-end 1");
    unsigned long long exec = made_of(&client, "instantiate %llx 0", graph);
    CHECK_EQUAL(ask_number(&client, "launch %llx", exec), 2);

    expect(&client, "capture 1", "0");
    kept = made(&client, "async-on 1 33554432");
    graph = made(&client, "capture-end 1");
    exec = made_of(&client, "instantiate %llx 1", graph); /* frees what it left when it runs again */
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(ask_number(&client, "launch %llx", exec), 0);
    CHECK_BOOKS(0, 32 * MIB + 1);
    CHECK_EQUAL(ask_number(&client, "free-async %llx", kept), 0);
    unsigned long long plain = made(&client, "async-on 1 1"); /* captured no longer */
    CHECK_EQUAL(ask_number(&client, "free-async %llx", plain), 0);
    client_end(&client);
}

TEST(while_a_stream_is_captured_pools_are_still_made_to_give_back)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=64m");
    unsigned long long pool = made(&client, "pool-make 0"), pointer = made(&client, "async 67108864");
    CHECK_EQUAL(ask_number(&client, "free-async %llx", pointer), 0);
    expect(&client, "capture 1", "0");
    CHECK_EQUAL(ask_number(&client, "pool-trim %llx 0", pool), 900); /* the program's own would be an error */
    pointer = made_of(&client, "pool-alloc %llx 67108864", pool);
    made(&client, "capture-end 1");
    CHECK_EQUAL(ask_number(&client, "pool-trim %llx 0", pool), 0);
    CHECK_BOOKS(0, 64 * MIB);
    client_end(&client);
}
