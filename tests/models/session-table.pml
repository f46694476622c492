/*
 * The table of live sessions, and all that its truth hangs from: the store, the writer, a fill
 * beside it, a request, uses that are written late, another process on the same file, commits that
 * fail, and a crash.
 *
 *     spin -a session-table.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -m100000
 *
 * In every order of the steps:
 *
 *   1. After an end was acknowledged, no check that begins later accepts the session, whichever of
 *      its secrets is shown. An end by another process counts so after the bound has passed.
 *   2. A session whose opening was acknowledged is accepted until its end is asked for. It is not
 *      lost beside a fill, by another commit that fails, or in a crash.
 *   3. An honest request with the secret before, while the session gets a new one, is never told
 *      that nobody knows it.
 *   4. Nothing is accepted that was never committed.
 *
 * A mistake can be put in with -D, and tests/models.rs sees to it that each is found:
 *
 *   ANSWER_BEFORE_APPLY  an act is acknowledged before the table knows of it
 *   APPLY_BEFORE_COMMIT  the table knows of it before the commit, which may yet fail
 *   FILL_OVERWRITES      the fill puts in what it has read, whatever has happened since
 *   TOUCH_UPSERTS        a use is written whether or not its session is still there
 *   COMPLETE_TOO_LATE    a miss counts if the table is complete by now
 *   NO_RECHECK           a look counts though the table has changed meanwhile
 *   NO_ANNOUNCEMENT      the table hears of a retired secret after the commit only
 *   NO_LOOK              nobody looks whether another process has written
 *
 * There is one session. It answers to secret 1, and to 2 once it was renamed. Where the code holds a
 * lock, there is an `atomic` here; between two of them anything may happen.
 */

#define NONE 0

#if !defined(FOREIGN) && !defined(CRASH)
#define ALONE
#endif

mtype = { OPEN, RENAME, END, TOUCH, LOOK };

/* On the disk: the secret that the session answers to, and whether 1 is a retired one. */
byte kept = NONE;
bool kept_retired;
/* Whether another process has committed, which SQLite counts; and whether the writer knows. */
bool foreign_wrote, foreign_known;
/* Whether the writer holds the database. */
bool locked;

/* The table. While a change is made, `open` is false, as the word is closed. */
bool open, complete;
byte has = NONE;
bool has_retired;
/* Whether the word has moved since the request loaded it. */
bool moved;

/* The ledger. */
bool ledger_held, filling, wants_fill = true, announced;
/* Whether a slice is being read, and what has changed since that began. */
bool slice_of_sessions, session_changed, slice_of_retired, retired_changed;

/* Whether the writer has not looked for as long as the bound; and whether the bound has passed once. */
#ifdef FOREIGN
bool stale = true;
#else
bool stale;
#endif
bool bound_passed;

/* What was asked for, and what was acknowledged. */
bool tried_open, tried_rename, tried_end, tried_touch;
bool opened, renamed, ended;
bool foreign_ended, foreign_ended_long_ago;
bool was_kept[3];

/* Whether the request was answered. What happens after that shows nothing. */
bool answered;

/* What may happen once. */
bool has_failed;
byte boots;

inline void() {
    open = false; complete = false; filling = false; wants_fill = true; moved = true
}

/* The writer's look whether another process has written. `time` is taken before it. */
inline look() {
#ifdef FOREIGN
    atomic { time = bound_passed };
    atomic {
#ifndef NO_LOOK
        if
        :: foreign_wrote && !foreign_known -> foreign_known = true; void()
        :: else
        fi;
#endif
        if
        :: time == bound_passed -> stale = false
        :: else
        fi
    }
#else
    skip
#endif
}

/* What a commit has left goes into the table, with the word closed. */
inline apply() {
    atomic { !ledger_held -> ledger_held = true; was_open = open; open = false; moved = true };
    if
    :: was_open ->
        atomic {
            if
            :: act != LOOK -> session_changed = slice_of_sessions; has = next
            :: else
            fi
        };
        atomic {
            if
            :: next_retired != old_retired -> retired_changed = slice_of_retired; has_retired = next_retired
            :: else
            fi
        }
    :: else
    fi;
    atomic { open = was_open; ledger_held = false }
}

inline acknowledge() {
    atomic {
        if
        :: act == OPEN && next == 1 -> opened = true
        :: act == RENAME && next == 2 -> renamed = true
        :: act == END -> ended = true
        :: else
        fi
    }
}

active proctype Writer() {
    mtype act;
    byte mine = 0;
    byte next;
    bool next_retired, old_retired, was_open, time, committed;

start:
    {
        look();
end_of_work:
        do
        :: atomic {
            if
            :: !answered && !tried_open -> tried_open = true; act = OPEN
            :: !answered && opened && !tried_end -> tried_end = true; act = END
#ifndef FOREIGN
            :: !answered && opened && !tried_rename -> tried_rename = true; act = RENAME
#endif
#ifdef ALONE
            :: !answered && opened && !tried_touch -> tried_touch = true; act = TOUCH
#endif
            :: !answered && (stale || (foreign_wrote && !foreign_known)) -> act = LOOK
            fi;
            /* From here on nobody else can commit. */
            locked = (act != LOOK)
        };
        look();
        if
        :: act == LOOK -> goto again
        :: else
        fi;
        atomic {
            next = kept; next_retired = kept_retired; old_retired = kept_retired;
            if
            :: act == OPEN -> next = 1
            :: act == RENAME && kept == 1 -> next = 2; next_retired = true
            :: act == END -> next = NONE; next_retired = false
#ifdef TOUCH_UPSERTS
            :: act == TOUCH -> next = (renamed -> 2 : 1)
#endif
            :: else
            fi
        };
#ifndef NO_ANNOUNCEMENT
        if
        :: next_retired && !old_retired ->
            atomic {
                !ledger_held -> announced = true; moved = true;
                if
                :: open -> has_retired = true
                :: else
                fi
            }
        :: else
        fi;
#endif
#ifdef APPLY_BEFORE_COMMIT
        apply();
#endif
        atomic {
            locked = false;
            if
#ifdef ALONE
            :: !has_failed -> has_failed = true
#endif
            :: true -> kept = next; kept_retired = next_retired; was_kept[next] = true; committed = true
            fi
        };
        if
        :: committed ->
#ifdef ANSWER_BEFORE_APPLY
            acknowledge();
#endif
#ifndef APPLY_BEFORE_COMMIT
            apply();
#endif
            acknowledge()
        :: else
        fi;
again:
        atomic { next = NONE; next_retired = false; old_retired = false; committed = false; act = LOOK }
        od
    } unless { boots != mine };
    mine = boots;
    goto start
}

/* Reads the store from end to end: the session, then the retired secrets. */
active proctype Filler() {
    byte mine = 0;
    byte read;
    bool read_retired;

start:
    {
        skip;
end_of_work:
        do
        :: atomic {
            !answered && wants_fill && !ledger_held ->
            wants_fill = false; filling = true; open = true; complete = false;
            has = NONE; has_retired = announced; moved = true
        };
        atomic { !ledger_held -> slice_of_sessions = true; session_changed = false };
        atomic { read = kept };
        atomic {
            !ledger_held;
            if
#ifdef FILL_OVERWRITES
            :: filling -> has = read
#else
            :: filling && !session_changed && has == NONE -> has = read
            :: filling && (session_changed || has != NONE)
#endif
            :: !filling
            fi;
            read = NONE; slice_of_sessions = false; session_changed = false; moved = true
        };
        atomic { !ledger_held -> slice_of_retired = true; retired_changed = false };
        atomic { read_retired = kept_retired };
        atomic {
            !ledger_held;
            if
            :: filling && !retired_changed && read_retired -> has_retired = true
            :: else
            fi;
            read_retired = false; slice_of_retired = false; retired_changed = false; moved = true
        };
        atomic {
            !ledger_held;
            if
            :: filling -> filling = false; complete = true; moved = true
            :: else
            fi
        }
        od
    } unless { boots != mine };
    atomic { mine = boots; read = NONE; read_retired = false };
    goto start
}

#ifdef FOREIGN
/* Another process commits something: what has nothing to do with the session, or its end, and then
   its owner is told so. */
active proctype Foreign() {
end_without_work:
    atomic {
        opened && !locked && !answered ->
        foreign_wrote = true;
        if
        :: kept = NONE; kept_retired = false; foreign_ended = true
        :: true
        fi
    }
}

/* Time passes: as much as the bound, once. */
active proctype Clock() {
end_without_work:
    atomic {
        !answered ->
        bound_passed = true; stale = true;
        foreign_ended_long_ago = foreign_ended
    }
}

#endif

#ifdef CRASH
/* The machine loses power: all that is not on the disk is gone. */
active proctype Crash() {
end_without_work:
    atomic {
        !answered ->
        boots = 1; locked = false; ledger_held = false;
        open = false; complete = false; filling = false; wants_fill = true;
        has = NONE; has_retired = false; announced = false;
        session_changed = false; retired_changed = false; moved = true;
        slice_of_sessions = false; slice_of_retired = false
    }
}

#endif

/* A look into the table: `sees` is what it sees there, `told` whether that counts. */
inline ask(sees) {
    told = false;
    if
    :: stale -> goto_store = true
    :: else ->
        atomic { moved = false; was_complete = complete; goto_store = !open };
        if
        :: goto_store
        :: else ->
            atomic { seen = sees };
#ifndef NO_RECHECK
            atomic { goto_store = moved };
#endif
#ifdef COMPLETE_TOO_LATE
            atomic { was_complete = complete };
#endif
            told = !goto_store && (seen || was_complete)
        fi
    fi
}

active proctype Request() {
    byte secret;
    byte booted;
    bool told, seen, goto_store, was_complete;
    bool accepted, known;
    bool was_ended, was_opened, was_renamed;

    atomic {
        /* Any time may be the beginning. */
        if
        :: secret = 1
        :: secret = 2
        fi;
        booted = boots;
        was_ended = ended || foreign_ended_long_ago;
        was_opened = opened; was_renamed = renamed
    };
    {
        ask(has == secret);
        if
        :: told -> accepted = seen
        :: else -> atomic { accepted = (kept == secret) }
        fi;
        atomic { seen = false; told = false; goto_store = false; was_complete = false };
        if
        :: !accepted && secret == 1 ->
            ask(has_retired);
            if
            :: told && !seen -> known = false
            :: else -> atomic { known = kept_retired }
            fi;
            atomic { seen = false; told = false; goto_store = false; was_complete = false }
        :: else
        fi;
        atomic {
            answered = true;
            assert(!(accepted && was_ended));
            assert(!accepted || was_kept[secret]);
            if
            :: was_opened && !tried_end && !foreign_ended ->
                assert(secret != 1 || tried_rename || accepted);
                assert(secret != 2 || !was_renamed || accepted);
                assert(secret != 1 || accepted || known)
            :: else
            fi
        }
    } unless { boots != booted }
}
