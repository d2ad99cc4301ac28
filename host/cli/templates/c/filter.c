// Drops events by the text of a field.
#include "paddlewheel.h"

static pw_text field, unwanted;

pw_refusal pw_init(pw_text config) {
    field = pw_member_text(config, PW("field"));
    unwanted = pw_member_text(config, PW("drop"));
    if (!field.len || !unwanted.len) return pw_refuse(PW("`field` and `drop` are needed"));
    return pw_ready();
}

pw_answer pw_transform(pw_event *event) {
    if (pw_same(pw_get_text(event, field), unwanted)) return pw_drop(event);
    return pw_keep(event);
}
