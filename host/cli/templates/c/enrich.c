// Notes the region, and whether a request was slow.
#include "paddlewheel.h"

static pw_text region;
static double slow_ms;

static bool number(pw_value value, double *to) {
    if (value.kind == PW_INTEGER) *to = (double)value.integer;
    if (value.kind == PW_NUMBER) *to = value.number;
    return value.kind == PW_INTEGER || value.kind == PW_NUMBER;
}

pw_refusal pw_init(pw_text config) {
    region = pw_member_text(config, PW("region"));
    if (!region.len || !number(pw_member(config, PW("slow_ms")), &slow_ms))
        return pw_refuse(PW("`region` and the number `slow_ms` are needed"));
    return pw_ready();
}

pw_answer pw_transform(pw_event *event) {
    double took;
    pw_set_text(event, PW("region"), region);
    if (number(pw_get(event, PW("took_ms")), &took)) pw_set(event, PW("slow"), pw_boolean(took > slow_ms));
    return pw_keep(event);
}
