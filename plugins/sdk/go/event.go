package paddlewheel

import (
	"encoding/json"
	"time"
)

// An Event is one record from the stream, or one part of an aggregated record. It lives as long as the call that got it; what is
// not part of the answer is dropped when the call ends.
//
// Changes are seen at once by later reads. They become final when the event is part of the answer. When the call fails, they are
// forgotten.
//
// An event need not be JSON; Has("") asks whether it is. If it is not, JSON and reading find nothing, ReplaceText and Remove give
// 0, Rename gives false and Set fails; only Data and Derive are of use.
type Event struct {
	handle uint32
	state  state
}

type state uint8

const (
	// The plugin owns it.
	owned state = iota
	// It is part of the answer.
	answered
	// Its call has ended.
	gone
)

// ID is the event's identity: the shard and the sequence number, with `/` and the part's number after it for a part of an
// aggregated record. It is the same when a record is delivered again.
func (event *Event) ID() string { return hostID(event.rep()) }

// PartitionKey is the key that the producer chose, which decided the shard. Empty when the step may not read it (@partition-key).
func (event *Event) PartitionKey() string { return hostPartitionKey(event.rep()) }

// ArrivedAt is when the record arrived in the stream. Use it in place of a clock: then an event that is processed twice comes out
// the same twice.
func (event *Event) ArrivedAt() time.Time {
	return time.UnixMilli(int64(hostArrivedAtMS(event.rep()))).UTC()
}

// Get is the value of a field, and whether there is such a field. The value is nil for JSON null, or a bool, int64, float64, string,
// []any or map[string]any. A number that neither an int64 nor a float64 holds is a json.Number. A string with half of a surrogate
// pair has it as its three bytes in WTF-8, which Set takes back.
//
//	event.Get("user.id")    int64(42), true
//	event.Get("user")       map[string]any{"id": int64(42)}, true
//	event.Get("nobody")     nil, false
//	event.Get("")           the whole document
func (event *Event) Get(path string) (value any, ok bool) { return hostGet(event.rep(), path) }

// Text is the value of a field when it is a string. The cheapest way to read a string.
func (event *Event) Text(path string) (text string, ok bool) { return hostText(event.rep(), path) }

// Has is whether the field is there, whatever its value, null included. Has("") is whether the event is JSON.
func (event *Event) Has(path string) bool { return hostHas(event.rep(), path) }

// Keys are the names in an object, in the order of the document, each written as a path needs it (in quotes where it must be).
// Keys("") gives those of the document itself. Empty when there is no object at that path.
func (event *Event) Keys(path string) []string { return hostKeys(event.rep(), path) }

// Length is how many elements an array has, how many names an object, or how many characters a string; false for other values and
// for a field that is not there.
func (event *Event) Length(path string) (length int, ok bool) { return hostLength(event.rep(), path) }

// Expand gives the paths of all fields that match a pattern, in the order of the document, each fit for the other methods.
//
//	event.Expand("items[*].sku")   ["items[0].sku", "items[1].sku"]
func (event *Event) Expand(pattern string) []string { return hostExpand(event.rep(), pattern) }

// Set sets a field. Objects on the way that do not exist are made; an array takes an index up to its length, which appends. It takes
// what Get gives, the other integers and float32, and what has a MarshalJSON, such as a *big.Int or a json.RawMessage; Encode takes
// the rest. The names of a map come in their order by bytes.
//
// When the way leads through a value that is not an object or array, when the index is beyond the array's length, or when the event
// is not JSON, the event is rejected with the host's reason. TrySet gives the reason instead.
//
//	event.Set("user.tier", "gold")               {"user":{"tier":"gold"}}
//	event.Set("tags", []any{"a", "b"})           {"tags":["a","b"]}
//	event.Set("", tree)                          the whole document
func (event *Event) Set(path string, value any) { must(event.TrySet(path, value)) }

// TrySet is Set, and gives the reason when that is not possible. Nothing is changed then. Returned from transform, the error rejects
// the event.
func (event *Event) TrySet(path string, value any) error { return set(event.rep(), path, value) }

// SetText is Set with a string: the commonest change, at less cost.
func (event *Event) SetText(path, text string) { must(event.TrySetText(path, text)) }

// TrySetText is SetText, and gives the reason when that is not possible.
func (event *Event) TrySetText(path, text string) error { return setText(event.rep(), path, text) }

// Decode reads a field into a value, as json.Unmarshal does. A field that is not there leaves the value as it is and gives false.
func (event *Event) Decode(path string, value any) (ok bool, err error) {
	text, ok := hostGetJSON(event.rep(), path)
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal(text, value)
}

// Encode sets a field to a value as json.Marshal writes it.
func (event *Event) Encode(path string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return event.TrySet(path, json.RawMessage(text))
}

// ReplaceText gives all fields that match a pattern this text, in every spelling and through arrays; it gives how many there were.
// Where there is none, none is made, and null stays null: what masks need, in one call.
//
//	event.ReplaceText("user.email", "***")      1, or 0 when there was none
//	event.ReplaceText("items[*].card", "***")   as many as there were
func (event *Event) ReplaceText(pattern, text string) int {
	return hostReplaceText(event.rep(), pattern, text)
}

// Remove removes all fields that match a pattern, in every spelling and through arrays. It gives how many went.
func (event *Event) Remove(pattern string) int { return hostRemove(event.rep(), pattern) }

// Rename moves a field, with all that is in it, to another path. A field that stands there is replaced; objects on the way are made
// as with Set. It gives false, without any change, when there is nothing at path or no way to the other.
func (event *Event) Rename(path, to string) bool { return hostRename(event.rep(), path, to) }

// JSON is the whole document as it stands, changes included, as JSON text; false when the event is not JSON.
func (event *Event) JSON() (text string, ok bool) { return hostJSON(event.rep()) }

// Data is the event's bytes as they stand, changes included, JSON or not.
func (event *Event) Data() []byte { return hostData(event.rep()) }

// Copy makes a second event that stands where this one stands and goes its own way from here: for fan-out. The bytes are shared, so
// a copy costs little.
func (event *Event) Copy() *Event { return hold(hostCopy(event.rep())) }

// Derive makes an event of the same identity with other bytes: for plugins that parse other formats. The bytes should be one JSON
// value in UTF-8 if fields are to be read or set in it, here or in later steps.
func (event *Event) Derive(data []byte) *Event { return hold(hostDerive(event.rep(), data)) }

// To is the event with the route it takes, for an answer.
func (event *Event) To(route string) Output { return Output{event, route} }

// The events that the plugin holds in this call.
var held []*Event

func hold(handle uint32) *Event {
	event := &Event{handle: handle}
	held = append(held, event)
	return event
}

func (event *Event) rep() uint32 {
	if event.state != owned {
		panic(misuse[event.state])
	}
	return event.handle
}

var misuse = [...]string{
	answered: "an event stands twice in one answer: a second one is made with Copy",
	gone:     "an event of an earlier call was used: an event lives as long as the call that got it",
}

// letGo ends the call: all that the plugin holds and did not return is dropped.
func letGo(failed bool) {
	for at, event := range held {
		if failed || event.state == owned {
			hostDrop(event.handle)
		}
		event.state = gone
		held[at] = nil
	}
	held = held[:0]
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
