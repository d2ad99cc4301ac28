package paddlewheel

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
)

func TestValuesSurviveBothWays(t *testing.T) {
	for _, test := range []struct {
		text  string
		value any
	}{
		{`null`, nil},
		{`true`, true},
		{`-9223372036854775808`, int64(math.MinInt64)},
		{`9223372036854775807`, int64(math.MaxInt64)},
		{`9223372036854775808`, json.Number("9223372036854775808")},
		{`-0`, math.Copysign(0, -1)},
		{`1e400`, json.Number("1e400")},
		{`1.5`, 1.5},
		{`1e300`, 1e300},
		{`"a\"b\\c\n\u0001é\ud83d\ude00"`, "a\"b\\c\n\x01é😀"},
		{`"\ud800x"`, "\xED\xA0\x80x"},
		{`"\ud800\ud83d\ude00"`, "\xED\xA0\x80😀"},
		{`[]`, []any{}},
		{` [ 1 , [ "a" ] , { } ] `, []any{int64(1), []any{"a"}, map[string]any{}}},
		{`{"b":1,"a":{"c":[null,false]},"":""}`, map[string]any{"b": int64(1), "a": map[string]any{"c": []any{nil, false}}, "": ""}},
	} {
		value := parse(test.text)
		if !reflect.DeepEqual(value, test.value) {
			t.Errorf("%s is %#v, not %#v", test.text, value, test.value)
		}
		written, err := encode(nil, value)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
		}
		if again := parse(string(written)); !reflect.DeepEqual(again, test.value) {
			t.Errorf("%s became %s", test.text, written)
		}
	}
}

func TestWhatIsWritten(t *testing.T) {
	for _, test := range []struct {
		value any
		text  string
	}{
		{"\xED\xA0\x80", `"\ud800"`},
		{"\xFF\xC3é", `"` + "\uFFFD\uFFFDé" + `"`},
		{1.0, `1.0`},
		{math.Copysign(0, -1), `-0.0`},
		{1e16, `1e16`},
		{1e15, `1000000000000000.0`},
		{1e-5, `0.00001`},
		{1.5e-7, `1.5e-7`},
		{-1e300, `-1e300`},
		{uint64(math.MaxUint64), `18446744073709551615`},
		{int8(-1), `-1`},
		{new(big.Int).Lsh(big.NewInt(1), 100), `1267650600228229401496703205376`},
		{json.RawMessage(`{"z":1,"a":2}`), `{"z":1,"a":2}`},
		{[]string{"a"}, `["a"]`},
		{map[string]any{"b": 1, "a": 2}, `{"a":2,"b":1}`},
	} {
		text, err := encode(nil, test.value)
		if err != nil || string(text) != test.text {
			t.Errorf("%#v became %s (%v), not %s", test.value, text, err, test.text)
		}
	}
	for _, value := range []any{math.NaN(), math.Inf(1), struct{}{}, []any{make(chan int)}, map[string]any{"a": math.NaN()}} {
		if text, err := encode(nil, value); err == nil {
			t.Errorf("%#v became %s", value, text)
		}
	}
}

func TestNumbersAreReadBackAsTheyWere(t *testing.T) {
	for exponent := -320; exponent < 308; exponent++ {
		for _, digits := range []string{"1", "-1.5", "9.007199254740993", "1.7976931348623157"} {
			value := parse(fmt.Sprintf("%se%d", digits, exponent))
			text, err := encode(nil, value)
			if again := parse(string(text)); err != nil || again != value {
				t.Fatalf("%v became %s", value, text)
			}
		}
	}
}

func TestAnswers(t *testing.T) {
	a, b := &Event{handle: 1}, &Event{handle: 2}
	for _, test := range []struct {
		answer  Answer
		outputs []Output
	}{
		{a, []Output{{a, ""}}},
		{b.To("audit"), []Output{{b, "audit"}}},
		{Drop, nil},
		{List(nil), nil},
		{List{a, nil, List{b.To("audit")}}, []Output{{a, ""}, {b, "audit"}}},
	} {
		if outputs := test.answer.outputs(nil); !reflect.DeepEqual(outputs, test.outputs) {
			t.Errorf("%v goes on as %v", test.answer, outputs)
		}
	}
}

func TestFailures(t *testing.T) {
	run := func(transform func(*Event) (Answer, error)) *Failure {
		Transform(transform)
		_, failure := runTransform(&Event{})
		return failure
	}
	failing := func(err error) func(*Event) (Answer, error) {
		return func(*Event) (Answer, error) { return nil, err }
	}
	for _, test := range []struct {
		err  error
		kind failureKind
		text string
	}{
		{Reject("no id"), reject, "no id"},
		{fmt.Errorf("order 7: %w", Reject("no id")), reject, "order 7: no id"},
		{Retry("later"), retry, "later"},
		{errors.New("odd"), broken, "odd"},
	} {
		if failure := run(failing(test.err)); *failure != (Failure{test.kind, test.text}) {
			t.Errorf("%v is %v", test.err, failure)
		}
	}
	if failure := run(func(*Event) (Answer, error) { must(Reject("through a text")); return nil, nil }); failure.kind != reject {
		t.Errorf("a refused set is %v", failure)
	}
	failure := run(func(*Event) (Answer, error) { panic("größer") })
	if failure.kind != broken || !strings.HasPrefix(failure.reason, "größer\n  at paddlewheel.TestFailures.") {
		t.Errorf("a panic is %v", failure)
	}
	twice := &Event{}
	if failure := run(func(*Event) (Answer, error) { return List{twice, twice}, nil }); !strings.HasPrefix(failure.reason, "an event stands twice") {
		t.Errorf("an event twice is %v", failure)
	}
}

func TestConfigs(t *testing.T) {
	Transform(func(*Event) (Answer, error) { return nil, nil })
	Init(func(config struct{ Fields []string }) error {
		if len(config.Fields) == 0 {
			return errors.New("fields: at least one")
		}
		return nil
	})
	for config, expected := range map[string]string{
		`{"fields":["a"]}`: "",
		`{"fields":[]}`:    "fields: at least one",
		`{"feilds":[]}`:    `config: unknown field "feilds"`,
	} {
		told := ""
		if err := runInit(config); err != nil {
			told = err.Error()
		}
		if told != expected {
			t.Errorf("%s: %s", config, told)
		}
	}
	initializer = nil
	if err := runInit(`{"fields":[]}`); err == nil || err.Error() != "this plugin takes no config" {
		t.Errorf("without Init: %v", err)
	}
}
