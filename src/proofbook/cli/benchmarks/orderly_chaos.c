/* Drives a book of orderly-chaos through a whole stream in one call, as its users in C would.
 *
 * The book's functions come as pointers, so that nothing has to be linked. The package has no
 * immediate-or-cancel order with a limit and no change of price: the rest of an order is cancelled
 * at once, and a change is a cancel and a new order.
 */
#include <stddef.h>
#include <stdint.h>

enum kind { REST, IMMEDIATE, CANCEL, CHANGE };

/* A side of ours is 0 to buy, of the package 1. */
enum { FLIP_SIDE = 1 };

struct message {
    uint8_t kind;
    uint8_t side;
    uint32_t lots;
    uint64_t order;
    uint64_t price_ticks;
};

struct trade {
    uint64_t taker;
    uint64_t maker;
    uint64_t price_ticks;
    uint32_t lots;
    uint32_t maker_lots;
    int32_t taker_side;
};

struct tally {
    uint64_t fills;
    uint64_t lots;
};

struct book {
    void *book;
    int32_t (*limit)(void *, int32_t, uint64_t, uint32_t, uint64_t, uint32_t *);
    int32_t (*cancel)(void *, uint64_t);
};

/* The callback of the book for each of its trades. */
void count_trade(const struct trade *trade, void *context)
{
    struct tally *tally = context;
    tally->fills += 1;
    tally->lots += trade->lots;
}

static void place(const struct book *book, const struct message *message)
{
    uint32_t filled = 0;
    book->limit(book->book, message->side ^ FLIP_SIDE, message->order, message->lots,
                message->price_ticks, &filled);
    if (message->kind == IMMEDIATE && filled < message->lots)
        book->cancel(book->book, message->order);
}

void drive(const struct book *book, const struct message *messages, size_t count)
{
    for (const struct message *message = messages; message < messages + count; message++) {
        int is_new = message->kind == REST || message->kind == IMMEDIATE;
        if (is_new || (book->cancel(book->book, message->order) == 0 && message->kind == CHANGE))
            place(book, message);
    }
}
