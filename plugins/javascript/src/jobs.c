/* Promises: the queue of jobs runs until nothing is left in it, so nothing of one event runs in the time of another. */
#include <string.h>

#include "runtime.h"

/* Promises that were rejected when nobody waited for them, each with its reason. */
static struct {
    JSValue promise, reason;
} *unhandled;
static size_t count, room;

static void track(JSContext *context, JSValueConst promise, JSValueConst reason, bool is_handled, void *opaque) {
    (void)opaque;
    if (!is_handled) {
        if (count == room) {
            room = room ? 2 * room : 8;
            unhandled = js_realloc(context, unhandled, room * sizeof *unhandled);
        }
        unhandled[count].promise = JS_DupValue(context, promise);
        unhandled[count++].reason = JS_DupValue(context, reason);
        return;
    }
    for (size_t k = 0; k < count; k++) {
        if (!JS_IsStrictEqual(context, unhandled[k].promise, promise)) continue;
        JS_FreeValue(context, unhandled[k].promise);
        JS_FreeValue(context, unhandled[k].reason);
        unhandled[k] = unhandled[--count];
        return;
    }
}

void jobs_start(void) { JS_SetHostPromiseRejectionTracker(rt, track, NULL); }

/* Runs all jobs. False: one of them threw. */
static bool run(void) {
    JSContext *context;
    while (JS_IsJobPending(rt))
        if (JS_ExecutePendingJob(rt, &context) < 0) return false;
    return true;
}

/* Forgets what nobody waited for; the first of it is thrown if there is no exception already. True: there was nothing. */
static bool nothing_unhandled(void) {
    if (!count) return true;
    if (!JS_HasException(cx)) JS_Throw(cx, JS_DupValue(cx, unhandled[0].reason));
    while (count) {
        count--;
        JS_FreeValue(cx, unhandled[count].promise);
        JS_FreeValue(cx, unhandled[count].reason);
    }
    return false;
}

/* What a promise came to. False: an exception was thrown. */
static bool result_of(JSValue *promise, pw_text whose) {
    JSPromiseStateEnum state = JS_PromiseState(cx, *promise);
    if (state == JS_PROMISE_PENDING) {
        THROW(TYPE_ERROR, whose,
              PW(" never settles: nothing is left to run that could settle it (there are no timers and no network)"));
        return false;
    }
    JSValue result = JS_PromiseResult(cx, *promise);
    JS_FreeValue(cx, *promise);
    *promise = state == JS_PROMISE_FULFILLED ? result : JS_UNDEFINED;
    if (state == JS_PROMISE_REJECTED) JS_Throw(cx, result);
    return state == JS_PROMISE_FULFILLED;
}

bool jobs_settle(JSValue *value, pw_text whose) {
    bool is_promise = JS_IsPromise(*value);
    if (is_promise) {
        JS_PromiseMarkAsHandled(cx, *value);
        track(cx, *value, JS_UNDEFINED, true, NULL);
    }
    bool done = run() && (!is_promise || result_of(value, whose));
    return nothing_unhandled() && done;
}
