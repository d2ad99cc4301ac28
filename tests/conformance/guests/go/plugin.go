// Carries out the programs of the conformance suite. What each word does is described in tests/conformance/README.md.
package main

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"paddlewheel"
)

type config struct {
	Program string `json:"program"`
}

var (
	lines []string
	seen  int
)

func init() {
	paddlewheel.Init(func(read config) error {
		lines = strings.Split(strings.TrimSuffix(read.Program, "\n"), "\n")
		for _, line := range lines {
			word, reason, _ := strings.Cut(line, " ")
			switch word {
			case "refuse":
				return errors.New(reason)
			case "break":
				panic(reason)
			}
		}
		return nil
	})
	paddlewheel.Transform(transform)
}

func main() {}

func transform(event *paddlewheel.Event) (paddlewheel.Answer, error) {
	answer := paddlewheel.List{}
	route, dropped := "", false
	seen++
	for _, line := range lines {
		word, rest, _ := strings.Cut(line, " ")
		if word == "end" && event.Has(rest) {
			break
		}
		switch word {
		case "end", "":
		case "log":
			name, message, _ := strings.Cut(rest, " ")
			paddlewheel.Log(level(name), message)
		case "print":
			fmt.Println(rest)
		case "reject":
			return nil, paddlewheel.Reject(rest)
		case "retry":
			return nil, paddlewheel.Retry(rest)
		case "fail":
			panic(rest)
		case "spin":
			for {
			}
		case "hoard":
			hoard()
		case "route":
			route = rest
		case "drop":
			dropped = true
		case "forget":
			for k := number(rest); k > 0; k-- {
				event.Copy()
			}
		case "derive":
			event = event.Derive([]byte(rest))
		case "bytes":
			event = bytes(event)
		case "copy":
			copied := event.Copy()
			answer = append(answer, event.To(route))
			event, route = copied, ""
		case "twice":
			answer = append(answer, event)
		default:
			fields(event, word, rest)
		}
	}
	if !dropped {
		answer = append(answer, event.To(route))
	}
	return answer, nil
}

// path is the next word as a path, and what comes after it: a dot is the whole document.
func path(text string) (path, rest string) {
	path, rest, _ = strings.Cut(text, " ")
	if path == "." {
		path = ""
	}
	return path, rest
}

// fields reads or changes the event itself.
func fields(event *paddlewheel.Event, word, rest string) {
	a, rest := path(rest)
	b, last := path(rest)
	switch word {
	case "get":
		value, ok := event.Get(a)
		event.Set(b, orAbsent(value, ok))
	case "text":
		value, ok := event.Text(a)
		event.Set(b, orAbsent(value, ok))
	case "has":
		event.Set(b, event.Has(a))
	case "length":
		length, ok := event.Length(a)
		event.Set(b, orAbsent(length, ok))
	case "keys":
		texts(event, event.Keys(a), b)
	case "expand":
		texts(event, event.Expand(a), b)
	case "each":
		each(event, event.Expand(a), b)
	case "eachkey":
		keys := event.Keys(a)
		for k, key := range keys {
			if a != "" {
				keys[k] = a + "." + key
			}
		}
		each(event, keys, b)
	case "replace":
		event.Set(b, event.ReplaceText(a, last))
	case "erase":
		event.Remove(a)
	case "remove":
		event.Set(b, event.Remove(a))
	case "rename":
		event.Set(last, event.Rename(a, b))
	case "try":
		said := "done"
		if err := event.TrySet(a, 1); err != nil {
			said = err.Error()
		}
		event.Set(b, said)
	case "json":
		text, ok := event.JSON()
		event.Set(a, orAbsent(text, ok))
	case "id":
		event.Set(a, event.ID())
	case "key":
		event.Set(a, event.PartitionKey())
	case "arrived":
		event.Set(a, event.ArrivedAt().UnixMilli())
	case "clock":
		event.Set(a, time.Now().UnixMilli())
	case "random":
		var bytes [4]byte
		if _, err := rand.Read(bytes[:]); err != nil {
			panic(err)
		}
		event.Set(a, binary.LittleEndian.Uint32(bytes[:]))
	case "count":
		event.Set(a, seen)
	case "nest":
		event.Set(a, nested(number(b)))
	default:
		event.Set(a, literal(word, rest))
	}
}

func orAbsent(value any, ok bool) any {
	if !ok {
		return "absent"
	}
	return value
}

func texts(event *paddlewheel.Event, texts []string, to string) {
	for k, text := range texts {
		event.Set(element(to, k), text)
	}
}

func each(event *paddlewheel.Event, paths []string, to string) {
	for k, path := range paths {
		value, _ := event.Get(path)
		event.Set(element(to, k), value)
	}
}

func element(list string, k int) string { return list + "[" + strconv.Itoa(k) + "]" }

func bytes(event *paddlewheel.Event) *paddlewheel.Event {
	var text strings.Builder
	for k, one := range event.Data() {
		if k > 0 {
			text.WriteByte(',')
		}
		text.WriteString(strconv.Itoa(int(one)))
	}
	return event.Derive([]byte(`{"bytes":[` + text.String() + `]}`))
}

func nested(depth int) any {
	value := []any{}
	for ; depth > 1; depth-- {
		value = []any{value}
	}
	return value
}

var hoarded [][]byte

func hoard() {
	for {
		room := make([]byte, 1<<20)
		for k := range room {
			room[k] = 1
		}
		hoarded = append(hoarded, room)
	}
}

func literal(word, text string) any {
	switch word {
	case "null":
		return nil
	case "boolean":
		return text == "true"
	case "integer":
		integer, err := strconv.ParseInt(text, 10, 64)
		must(err)
		return integer
	case "number":
		float, err := strconv.ParseFloat(text, 64)
		must(err)
		return float
	case "string":
		return text
	case "value":
		return json.RawMessage(text)
	}
	panic("there is no word " + word)
}

func level(name string) paddlewheel.Level {
	levels := map[string]paddlewheel.Level{
		"debug": paddlewheel.Debug, "info": paddlewheel.Info, "warn": paddlewheel.Warn, "error": paddlewheel.Error,
	}
	return levels[name]
}

func number(text string) int {
	number, err := strconv.Atoi(text)
	must(err)
	return number
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
