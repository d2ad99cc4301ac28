#include "paddlewheel.h"

pw_refusal pw_init(pw_text config) {
    return pw_same(config, PW("{}")) ? pw_ready() : pw_refuse(PW("this plugin takes no config"));
}

pw_answer pw_transform(pw_event *event) {
    if (pw_same(pw_get_text(event, PW("level")), PW("DEBUG"))) return pw_drop(event);
    pw_replace_text(event, PW("email"), PW("***"));
    pw_replace_text(event, PW("ssn"), PW("***"));
    pw_set_text(event, PW("processed_by"), PW("x"));
    return pw_keep(event);
}
