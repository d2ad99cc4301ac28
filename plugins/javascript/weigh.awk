# Marks functions of quickjs-ng that recurse without a check of the stack of their own: see engine.c.
/^(static|int|bool|JSValue).*[ *]js_proxy_[a-zA-Z_]+\(/ { mark = "WEIGH_FRAME" }
/^static.*[ *]js_parse_unary\(/ { mark = "WEIGH_PARSER" }
/^static.*[ *]js_parse_(postfix_expr|assign_expr2|statement_or_decl|function_decl2|class|destructuring_element)\(/ { mark = "WEIGH_FRAME" }
/^static.*[ *]re_parse_(disjunction|term|nested_class|alternative)\(/ { mark = "WEIGH_FRAME" }
{ print }
mark && /^\{$/ { print "    " mark; mark = ""; marked++ }
/;$/ { mark = "" }
END { if (marked != expected) print "#error weigh.awk marked " marked " functions, not " expected; }
