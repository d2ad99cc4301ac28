package paddlewheel

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Values as JSON text, both ways. encoding/json would do but for two things: it makes a replacement character of half a surrogate
// pair, and it is large.

// parse reads text that is valid JSON: the host checked it.
func parse(text string) any {
	reader := reader{text: text}
	return reader.value()
}

type reader struct {
	text string
	at   int
}

func (reader *reader) space() {
	for reader.at < len(reader.text) {
		switch reader.text[reader.at] {
		case ' ', '\t', '\n', '\r':
			reader.at++
		default:
			return
		}
	}
}

// next is the next character that is no space.
func (reader *reader) next() byte {
	reader.space()
	return reader.text[reader.at]
}

func (reader *reader) value() any {
	switch reader.next() {
	case '{':
		return reader.object()
	case '[':
		return reader.array()
	case '"':
		return reader.string()
	case 't':
		reader.at += len("true")
		return true
	case 'f':
		reader.at += len("false")
		return false
	case 'n':
		reader.at += len("null")
		return nil
	default:
		return reader.number()
	}
}

func (reader *reader) object() map[string]any {
	object := map[string]any{}
	for reader.at++; reader.next() != '}'; {
		if reader.text[reader.at] == ',' {
			reader.at++
			reader.space()
		}
		name := reader.string()
		reader.space()
		reader.at++
		object[name] = reader.value()
	}
	reader.at++
	return object
}

func (reader *reader) array() []any {
	array := []any{}
	for reader.at++; reader.next() != ']'; {
		if reader.text[reader.at] == ',' {
			reader.at++
		}
		array = append(array, reader.value())
	}
	reader.at++
	return array
}

func (reader *reader) number() any {
	start, whole := reader.at, true
	for ; reader.at < len(reader.text); reader.at++ {
		switch char := reader.text[reader.at]; char {
		case '.', 'e', 'E', '+':
			whole = false
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		default:
			return number(reader.text[start:reader.at], whole)
		}
	}
	return number(reader.text[start:], whole)
}

// number keeps what a machine number would change as its text.
func number(text string, whole bool) any {
	if whole && text != "-0" {
		if integer, err := strconv.ParseInt(text, 10, 64); err == nil {
			return integer
		}
		return json.Number(text)
	}
	if float, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(float, 0) {
		return float
	}
	return json.Number(text)
}

func (reader *reader) string() string {
	reader.at++
	start := reader.at
	for reader.text[reader.at] != '"' && reader.text[reader.at] != '\\' {
		reader.at++
	}
	if reader.text[reader.at] == '"' {
		reader.at++
		return reader.text[start : reader.at-1]
	}
	bytes := []byte(reader.text[start:reader.at])
	for {
		char := reader.text[reader.at]
		reader.at++
		switch char {
		case '"':
			return string(bytes)
		case '\\':
			bytes = reader.escape(bytes)
		default:
			bytes = append(bytes, char)
		}
	}
}

func (reader *reader) escape(bytes []byte) []byte {
	char := reader.text[reader.at]
	reader.at++
	switch char {
	case 'b':
		return append(bytes, '\b')
	case 'f':
		return append(bytes, '\f')
	case 'n':
		return append(bytes, '\n')
	case 'r':
		return append(bytes, '\r')
	case 't':
		return append(bytes, '\t')
	case 'u':
		unit := reader.unit()
		if unit >= 0xD800 && unit < 0xDC00 && reader.at+6 <= len(reader.text) && reader.text[reader.at:reader.at+2] == `\u` {
			before := reader.at
			reader.at += 2
			if low := reader.unit(); low >= 0xDC00 && low < 0xE000 {
				return utf8.AppendRune(bytes, 0x10000+(unit-0xD800)<<10+(low-0xDC00))
			}
			reader.at = before
		}
		if unit >= 0xD800 && unit < 0xE000 {
			return append(bytes, 0xE0|byte(unit>>12), 0x80|byte(unit>>6)&0x3F, 0x80|byte(unit)&0x3F)
		}
		return utf8.AppendRune(bytes, unit)
	default:
		return append(bytes, char)
	}
}

func (reader *reader) unit() rune {
	unit, _ := strconv.ParseUint(reader.text[reader.at:reader.at+4], 16, 16)
	reader.at += 4
	return rune(unit)
}

// encode writes a value as JSON text.
func encode(bytes []byte, value any) ([]byte, error) {
	switch value := value.(type) {
	case nil:
		return append(bytes, "null"...), nil
	case bool:
		return strconv.AppendBool(bytes, value), nil
	case string:
		return quote(bytes, value), nil
	case float64:
		return float(bytes, value)
	case float32:
		return float(bytes, float64(value))
	case json.Number:
		return append(bytes, value...), nil
	case []any:
		return encodeArray(bytes, value)
	case map[string]any:
		return encodeObject(bytes, value)
	case json.Marshaler:
		text, err := value.MarshalJSON()
		return append(bytes, text...), err
	}
	if integer, ok := signed(value); ok {
		return strconv.AppendInt(bytes, integer, 10), nil
	}
	if integer, ok := unsigned(value); ok {
		return strconv.AppendUint(bytes, integer, 10), nil
	}
	if texts, ok := value.([]string); ok {
		bytes = append(bytes, '[')
		for at, text := range texts {
			if at > 0 {
				bytes = append(bytes, ',')
			}
			bytes = quote(bytes, text)
		}
		return append(bytes, ']'), nil
	}
	return nil, errors.New("a value of a type that Set does not take: use Encode")
}

func encodeArray(bytes []byte, array []any) (_ []byte, err error) {
	bytes = append(bytes, '[')
	for at, element := range array {
		if at > 0 {
			bytes = append(bytes, ',')
		}
		if bytes, err = encode(bytes, element); err != nil {
			return nil, err
		}
	}
	return append(bytes, ']'), nil
}

func encodeObject(bytes []byte, object map[string]any) (_ []byte, err error) {
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	bytes = append(bytes, '{')
	for at, name := range names {
		if at > 0 {
			bytes = append(bytes, ',')
		}
		bytes = append(quote(bytes, name), ':')
		if bytes, err = encode(bytes, object[name]); err != nil {
			return nil, err
		}
	}
	return append(bytes, '}'), nil
}

// signed is an integer of any kind with a sign.
func signed(value any) (int64, bool) {
	switch value := value.(type) {
	case int:
		return int64(value), true
	case int64:
		return value, true
	case int32:
		return int64(value), true
	case int16:
		return int64(value), true
	case int8:
		return int64(value), true
	}
	return 0, false
}

// unsigned is an integer of any kind without a sign.
func unsigned(value any) (uint64, bool) {
	switch value := value.(type) {
	case uint:
		return uint64(value), true
	case uint64:
		return value, true
	case uint32:
		return uint64(value), true
	case uint16:
		return uint64(value), true
	case uint8:
		return uint64(value), true
	}
	return 0, false
}

// float writes a number so that it is read back as one with a fraction or an exponent.
func float(bytes []byte, value float64) ([]byte, error) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return nil, errors.New("a number that is not finite has no place in JSON")
	}
	if size := math.Abs(value); size != 0 && (size < 1e-5 || size >= 1e16) {
		bytes = strconv.AppendFloat(bytes, value, 'e', -1, 64)
		// 1e+300 and 1e-07 as others write them: 1e300, 1e-7.
		mark := slices.Index(bytes[len(bytes)-5:], 'e')
		mark += len(bytes) - 5
		exponent, _ := strconv.Atoi(string(bytes[mark+1:]))
		return strconv.AppendInt(bytes[:mark+1], int64(exponent), 10), nil
	}
	start := len(bytes)
	bytes = strconv.AppendFloat(bytes, value, 'f', -1, 64)
	if !slices.Contains(bytes[start:], '.') {
		bytes = append(bytes, ".0"...)
	}
	return bytes, nil
}

const hex = "0123456789abcdef"

// quote writes a string. Half of a surrogate pair becomes the escape it came from; other bytes that are no UTF-8 become U+FFFD.
func quote(bytes []byte, text string) []byte {
	bytes = append(bytes, '"')
	for at := 0; at < len(text); {
		char := text[at]
		switch {
		case char == '"' || char == '\\':
			bytes = append(bytes, '\\', char)
			at++
		case char < 0x20:
			bytes = append(bytes, '\\', 'u', '0', '0', hex[char>>4], hex[char&15])
			at++
		case char < utf8.RuneSelf:
			bytes = append(bytes, char)
			at++
		default:
			if unit, ok := surrogate(text[at:]); ok {
				bytes = append(bytes, '\\', 'u', 'd', hex[unit>>8&15], hex[unit>>4&15], hex[unit&15])
				at += 3
				continue
			}
			rune, size := utf8.DecodeRuneInString(text[at:])
			bytes = utf8.AppendRune(bytes, rune)
			at += size
		}
	}
	return append(bytes, '"')
}

// surrogate is the half of a surrogate pair that a text begins with.
func surrogate(text string) (unit uint16, ok bool) {
	if len(text) < 3 || text[0] != 0xED || text[1] < 0xA0 || text[1] > 0xBF || text[2]&0xC0 != 0x80 {
		return 0, false
	}
	return 0xD000 | uint16(text[1]&0x3F)<<6 | uint16(text[2]&0x3F), true
}
