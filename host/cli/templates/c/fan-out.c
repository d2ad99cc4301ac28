// Makes an event of each element of an array.
#include "paddlewheel.h"

static pw_text field, place;

pw_refusal pw_init(pw_text config) {
    field = pw_member_text(config, PW("field"));
    place = pw_member_text(config, PW("as"));
    if (!field.len || !place.len) return pw_refuse(PW("`field` and `as` are needed"));
    return pw_ready();
}

pw_answer pw_transform(pw_event *event) {
    pw_texts elements = pw_expand(event, pw_cat(field, PW("[*]")));
    if (!elements.count) return pw_keep(event);
    pw_list parts = {0};
    for (size_t k = 0; k < elements.count; k++) {
        pw_event *part = pw_copy(event);
        pw_rename(part, elements.items[k], place);
        pw_remove(part, field);
        pw_add(&parts, part);
    }
    return pw_all(&parts);
}
