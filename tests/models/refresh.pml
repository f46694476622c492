/* Refresh tokens: one living branch, and nobody honest logged out, whatever the order.

   The owner sends each token once or twice at the same time, and may lose any answer; then it sends it
   again. Two nodes serve it. Time passes: the window of a used token closes, but not while the owner has
   a request with that token under way, which takes less than ten seconds. With THIEF somebody has a copy
   of a token, and uses it whenever they like.

   Put in, one at a time, each of these must be found:
     NOT_ATOMIC       a node reads, and writes later
     NO_WINDOW        the second use is always a theft
     OWN_SUCCESSOR    each use gives a successor of its own
*/

#define TURNS 3
#define TOKENS (2 * TURNS + 3)

/* Of each token: whether it was used, and gave way for good; whether its window is open; its one successor;
   whether the owner's requests with it are under way. */
bool used[TOKENS], spent[TOKENS], open[TOKENS];
byte successor[TOKENS], giver[TOKENS], pending[TOKENS];
byte next = 1;
bool alive = true;
bool stolen = false;
byte living = 1;

#define NOBODY 255

inline keep(token) {
    /* A new token, which follows this one. */
    successor[token] = next;
    giver[next] = token;
    next++;
    living++
}

inline decide(token, was_used, was_spent, was_open, answer) {
    if
    :: !alive -> answer = NOBODY
    :: alive && !was_used ->
        if
        :: !used[token] -> used[token] = true; living--
        :: else
        fi;
        open[token] = true;
        keep(token);
        if
        :: giver[token] != NOBODY -> spent[giver[token]] = true
        :: else
        fi;
        answer = successor[token]
#ifdef OWN_SUCCESSOR
    :: alive && was_used && was_open && !was_spent -> keep(token); answer = successor[token]
#else
#ifndef NO_WINDOW
    :: alive && was_used && was_open && !was_spent -> answer = successor[token]
#else
    :: alive && was_used && was_open && !was_spent -> alive = false; answer = NOBODY
#endif
#endif
    :: alive && was_used && (!was_open || was_spent) -> alive = false; answer = NOBODY
    fi
}

/* A node takes a token: in one act, as the writer does. */
inline present(token, answer) {
#ifdef NOT_ATOMIC
    atomic { u = used[token]; s = spent[token]; o = open[token] };
    atomic { decide(token, u, s, o, answer) }
#else
    atomic { u = used[token]; s = spent[token]; o = open[token]; decide(token, u, s, o, answer) }
#endif
}

chan answers = [2] of { byte };

/* One request of the owner's, by whichever node. */
proctype request(byte token) {
    bool u, s, o;
    byte answer;
    present(token, answer);
    /* There is never more than one token that was not used yet. */
    assert(living <= 1);
    /* Where nobody has stolen anything, nobody is logged out. */
    assert(stolen || answer != NOBODY);
    answers!answer
}

proctype thief(byte token) {
    bool u, s, o;
    byte answer, turn = 0;
    do
    :: turn < TURNS ->
        present(token, answer);
        assert(living <= 1);
        if
        :: answer == NOBODY -> break
        :: else -> token = answer
        fi;
        turn++
    :: break
    od
}

active proctype owner() {
    byte token = 0, answer, got, turn = 0, sent, lost;
    giver[0] = NOBODY;
    do
    :: turn < TURNS ->
#ifdef THIEF
        if
        :: !stolen -> stolen = true; run thief(token)
        :: true
        fi;
#endif
        got = NOBODY;
        atomic {
            if
            :: sent = 1
            :: sent = 2
            fi;
            pending[token] = sent + 1
        };
        lost = sent;
        do
        :: lost > 0 -> run request(token); lost--
        :: else -> break
        od;
        do
        :: sent > 0 ->
            answers?answer;
            sent--;
            /* Any answer may be lost on its way. */
            if
            :: got = answer
            :: true
            fi
        :: else -> break
        od;
        if
        :: got == NOBODY && alive ->
            /* All were lost: once more, which arrives. */
            run request(token);
            answers?got
        :: else
        fi;
        pending[token] = 0;
        if
        :: got == NOBODY -> break
        :: else -> token = got
        fi;
        turn++
    :: else -> break
    od;
    /* In the end one token lives, or the session has ended; and where nobody stole, it lives. */
    assert(!alive || living == 1 || stolen);
    assert(stolen || alive)
}

/* Time passes. */
active proctype clock() {
    byte token;
    do
    :: atomic {
        select(token : 0 .. TOKENS - 1);
        if
        :: open[token] && pending[token] == 0 -> open[token] = false
        :: else
        fi
    }
    :: break
    od
}
