#include <stdio.h>

#include "paddlewheel.h"

pw_refusal pw_init(pw_text config) {
    return pw_same(config, PW("{}")) ? pw_ready() : pw_refuse(PW("this plugin takes no config"));
}

pw_answer pw_transform(pw_event *event) {
    if (pw_same(pw_get_text(event, PW("level")), PW("DEBUG"))) return pw_drop(event);
    if (pw_has(event, PW("bad"))) return pw_reject(PW("the field bad is there: größer"));
    if (pw_has(event, PW("later"))) return pw_retry(PW("not now"));
    if (pw_has(event, PW("boom"))) return pw_error(PW("größer"));
    if (pw_has(event, PW("print"))) printf("größer %s\n", "gedruckt");
    pw_replace_text(event, PW("email"), PW("***"));
    pw_replace_text(event, PW("ssn"), PW("***"));
    pw_value number = pw_get(event, PW("n"));
    if (number.kind != PW_ABSENT) pw_set(event, PW("copied"), number);
    if (pw_has(event, PW("through"))) pw_set(event, PW("level.deeper"), pw_integer(1));
    pw_set_text(event, PW("processed_by"), PW("x"));
    if (pw_has(event, PW("twice"))) {
        pw_list answer = {0};
        pw_event *second = pw_copy(event);
        pw_set_text(second, PW("part"), PW("second"));
        pw_add(&answer, event);
        pw_add_to(&answer, second, PW("audit"));
        return pw_all(&answer);
    }
    return pw_keep(event);
}
