package paddlewheel

import (
	"strings"
	"unicode/utf8"
)

// isText is whether a string can travel as one: it is valid UTF-8.
func isText(text string) bool { return utf8.ValidString(text) }

// sayable makes a text of what may be none.
func sayable(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
