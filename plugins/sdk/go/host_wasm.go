package paddlewheel

import (
	"runtime"
	"unsafe"
)

// The contract by the canonical ABI, by hand. A host call hands over texts as an address and a length, and writes its answer to an
// address that it is given; for texts of unknown length it asks cabi_realloc for room. That room is one arena, used again after
// each call: what came is copied out of it at once. So nothing piles up between two collections, and most calls make room without
// any work for Go's allocator. No call into the host may happen while it asks for room: there are no finalizers here.

//go:wasmimport paddlewheel:transform/events@0.1.0 [method]event.id
func eventID(event uint32, to unsafe.Pointer)

//go:wasmimport paddlewheel:transform/events@0.1.0 [method]event.partition-key
func eventPartitionKey(event uint32, to unsafe.Pointer)

//go:wasmimport paddlewheel:transform/events@0.1.0 [method]event.arrived-at-ms
func hostArrivedAtMS(event uint32) uint64

//go:wasmimport paddlewheel:transform/events@0.1.0 [method]event.get
func eventGet(event uint32, path string, to unsafe.Pointer)

//go:wasmimport paddlewheel:transform/events@0.1.0 [method]event.text
func eventText(event uint32, path string, to unsafe.Pointer)

//go:wasmimport paddlewheel:transform/events@0.1.0 [method]event.has
func hostHas(event uint32, path string) bool

//go:wasmimport paddlewheel:transform/events@0.1.0 [method]event.keys
func eventKeys(event uint32, path string, to unsafe.Pointer)

//go:wasmimport paddlewheel:transform/events@0.1.0 [method]event.length
func eventLength(event uint32, path string, to unsafe.Pointer)

//go:wasmimport paddlewheel:transform/events@0.1.0 [method]event.expand
func eventExpand(event uint32, pattern string, to unsafe.Pointer)

//go:wasmimport paddlewheel:transform/events@0.1.0 [method]event.set
func eventSet(event uint32, path string, kind uint32, payload uint64, length uint32, to unsafe.Pointer)

//go:wasmimport paddlewheel:transform/events@0.1.0 [method]event.set-text
func eventSetText(event uint32, path string, text string, to unsafe.Pointer)

//go:wasmimport paddlewheel:transform/events@0.1.0 [method]event.replace-text
func eventReplaceText(event uint32, pattern string, text string) uint32

//go:wasmimport paddlewheel:transform/events@0.1.0 [method]event.remove
func eventRemove(event uint32, pattern string) uint32

//go:wasmimport paddlewheel:transform/events@0.1.0 [method]event.rename
func hostRename(event uint32, path string, target string) bool

//go:wasmimport paddlewheel:transform/events@0.1.0 [method]event.json
func eventJSON(event uint32, to unsafe.Pointer)

//go:wasmimport paddlewheel:transform/events@0.1.0 [method]event.data
func eventData(event uint32, to unsafe.Pointer)

//go:wasmimport paddlewheel:transform/events@0.1.0 [method]event.copy
func hostCopy(event uint32) uint32

//go:wasmimport paddlewheel:transform/events@0.1.0 [method]event.derive
func eventDerive(event uint32, data unsafe.Pointer, length uint32) uint32

//go:wasmimport paddlewheel:transform/events@0.1.0 [resource-drop]event
func hostDrop(event uint32)

//go:wasmimport paddlewheel:transform/log@0.1.0 write
func hostLog(level uint32, message string)

//go:wasmimport paddlewheel:transform/assets@0.1.0 names
func assetNames(to unsafe.Pointer)

//go:wasmimport paddlewheel:transform/assets@0.1.0 read
func assetRead(name string, to unsafe.Pointer)

// Whether the clock stands still. It does while the plugin makes room for the host: a collection may begin then, which asks for the
// time.
//
//go:wasmimport wasi_snapshot_preview1 adapter_monotonic_clock_set_paused
func pauseClock(paused uint32)

// The kinds of a value, as the contract numbers them.
const (
	kindNull = iota
	kindBoolean
	kindInteger
	kindNumber
	kindText
	kindJSON
)

// The bytes that are made room for once and for all: more than most fields have.
const arenaBytes = 16 << 10

var (
	arena     [arenaBytes / 8]uint64 // of words, so that it begins at a multiple of 8
	arenaUsed uint32
	// What had no room in the arena, until the call has been read.
	beside [][]uint64
	// Where a host call writes its answer.
	answer [3]uint64
)

//go:wasmexport cabi_realloc
func realloc(old unsafe.Pointer, oldBytes, alignment, bytes uint32) unsafe.Pointer {
	start := (arenaUsed + alignment - 1) &^ (alignment - 1)
	if bytes <= arenaBytes && start <= arenaBytes-bytes {
		arenaUsed = start + bytes
		return unsafe.Add(unsafe.Pointer(&arena), start)
	}
	pauseClock(1)
	room := make([]uint64, bytes/8+1)
	beside = append(beside, room)
	pauseClock(0)
	return unsafe.Pointer(unsafe.SliceData(room))
}

// forget makes the arena empty again, once what a host call gave has been copied.
func forget() {
	arenaUsed = 0
	if len(beside) > 0 {
		clear(beside)
		beside = beside[:0]
	}
}

// A span is an address and a length.
type span struct {
	address uint32
	length  uint32
}

func spanAt(at unsafe.Pointer) span { return *(*span)(at) }

func (span span) bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(uintptr(span.address))), span.length)
}

// text copies a text out of the room that was made for it.
func (span span) text() string { return string(span.bytes()) }

func spanOf(text string) span {
	return span{uint32(uintptr(unsafe.Pointer(unsafe.StringData(text)))), uint32(len(text))}
}

// isThere is the tag that an answer begins with, and answeredSpan what stands at its second word.
func isThere() bool { return *(*uint8)(unsafe.Pointer(&answer)) != 0 }

func answeredSpan() span { return spanAt(unsafe.Add(unsafe.Pointer(&answer), 4)) }

func to() unsafe.Pointer { return unsafe.Pointer(&answer) }

func hostID(event uint32) string {
	eventID(event, to())
	text := spanAt(to()).text()
	forget()
	return text
}

func hostPartitionKey(event uint32) string {
	eventPartitionKey(event, to())
	text := spanAt(to()).text()
	forget()
	return text
}

func hostGet(event uint32, path string) (value any, ok bool) {
	eventGet(event, path, to())
	if !isThere() {
		return nil, false
	}
	payload := answer[2]
	switch *(*uint8)(unsafe.Pointer(&answer[1])) {
	case kindNull:
		return nil, true
	case kindBoolean:
		return payload&1 != 0, true
	case kindInteger:
		return int64(payload), true
	case kindNumber:
		return *(*float64)(unsafe.Pointer(&payload)), true
	}
	text := spanAt(unsafe.Pointer(&payload)).text()
	forget()
	if *(*uint8)(unsafe.Pointer(&answer[1])) == kindText {
		return text, true
	}
	return parse(text), true
}

// hostGetJSON is a field's value as JSON text.
func hostGetJSON(event uint32, path string) (text []byte, ok bool) {
	eventGet(event, path, to())
	if isThere() && *(*uint8)(unsafe.Pointer(&answer[1])) == kindJSON {
		text = []byte(spanAt(unsafe.Pointer(&answer[2])).text())
		forget()
		return text, true
	}
	value, ok := hostGet(event, path)
	if !ok {
		return nil, false
	}
	text, err := encode(nil, value)
	must(err)
	return text, true
}

func hostText(event uint32, path string) (text string, ok bool) {
	eventText(event, path, to())
	return optional()
}

// optional is an answer of type option<string>.
func optional() (text string, ok bool) {
	if !isThere() {
		return "", false
	}
	text = answeredSpan().text()
	forget()
	return text, true
}

func hostKeys(event uint32, path string) []string {
	eventKeys(event, path, to())
	return list()
}

func hostExpand(event uint32, pattern string) []string {
	eventExpand(event, pattern, to())
	return list()
}

// list is an answer of type list<string>.
func list() []string {
	whole := spanAt(to())
	texts := make([]string, whole.length)
	for at, span := range unsafe.Slice((*span)(unsafe.Pointer(uintptr(whole.address))), whole.length) {
		texts[at] = span.text()
	}
	forget()
	return texts
}

func hostLength(event uint32, path string) (length int, ok bool) {
	eventLength(event, path, to())
	return int(answer[0] >> 32), isThere()
}

func set(event uint32, path string, value any) error {
	kind, payload := uint32(kindNull), uint64(0)
	switch value := value.(type) {
	case nil:
	case string:
		return setText(event, path, value)
	case bool:
		kind = kindBoolean
		if value {
			payload = 1
		}
	case float64:
		kind, payload = kindNumber, *(*uint64)(unsafe.Pointer(&value))
	default:
		integer, ok := signed(value)
		if !ok {
			return setJSON(event, path, value)
		}
		kind, payload = kindInteger, uint64(integer)
	}
	eventSet(event, path, kind, payload, 0, to())
	return refused()
}

func setText(event uint32, path, text string) error {
	if !isText(text) {
		return setJSON(event, path, text)
	}
	eventSetText(event, path, text, to())
	return refused()
}

func setJSON(event uint32, path string, value any) error {
	text, err := encode(nil, value)
	if err != nil {
		return &Failure{broken, "set " + path + ": " + err.Error()}
	}
	eventSet(event, path, kindJSON, uint64(spanOf(unsafe.String(unsafe.SliceData(text), len(text))).address), uint32(len(text)), to())
	runtime.KeepAlive(text)
	return refused()
}

// refused is an answer of type result<_, string>.
func refused() error {
	if reason, failed := optional(); failed {
		return &Failure{reject, reason}
	}
	return nil
}

func hostAssets() []string {
	assetNames(to())
	return list()
}

func hostAsset(name string) (content []byte, ok bool) {
	assetRead(name, to())
	text, ok := optional()
	return []byte(text), ok
}

func hostReplaceText(event uint32, pattern, text string) int {
	return int(eventReplaceText(event, pattern, sayable(text)))
}

func hostRemove(event uint32, pattern string) int { return int(eventRemove(event, pattern)) }

func hostJSON(event uint32) (string, bool) {
	eventJSON(event, to())
	return optional()
}

func hostData(event uint32) []byte {
	eventData(event, to())
	data := append([]byte(nil), spanAt(to()).bytes()...)
	forget()
	return data
}

func hostDerive(event uint32, data []byte) uint32 {
	return eventDerive(event, unsafe.Pointer(unsafe.SliceData(data)), uint32(len(data)))
}

// The answer to init: result<_, string>.
type initAnswer struct {
	failed uint32
	reason span
}

// One output: the event and an option<string>.
type outputAnswer struct {
	event    uint32
	hasRoute uint32
	route    span
}

// The answer to transform: result<list<output>, failure>. Of a failure, the first word is its case and the text follows.
type transformAnswer struct {
	failed uint32
	list   span
	more   uint32
}

// What the host reads when a call has ended; kept until the next one, with all it points at.
var (
	initAnswered      initAnswer
	transformAnswered transformAnswer
	outputsAnswered   []outputAnswer
	reasonAnswered    string
	routesAnswered    []Output
)

//go:wasmexport paddlewheel:transform/plugin@0.1.0#init
func exportInit(config unsafe.Pointer, length uint32) unsafe.Pointer {
	pauseClock(0)
	text := string(unsafe.Slice((*byte)(config), length))
	forget()
	initAnswered = initAnswer{}
	if err := runInit(text); err != nil {
		reasonAnswered = sayable(err.Error())
		initAnswered = initAnswer{1, spanOf(reasonAnswered)}
	}
	return unsafe.Pointer(&initAnswered)
}

//go:wasmexport paddlewheel:transform/plugin@0.1.0#transform
func exportTransform(handle uint32) unsafe.Pointer {
	event := hold(handle)
	outputs, failure := runTransform(event)
	letGo(failure != nil)
	if failure != nil {
		reasonAnswered = sayable(failure.reason)
		reason := spanOf(reasonAnswered)
		transformAnswered = transformAnswer{1, span{uint32(failure.kind), reason.address}, reason.length}
		return unsafe.Pointer(&transformAnswered)
	}
	outputsAnswered, routesAnswered = outputsAnswered[:0], outputs
	for _, output := range outputs {
		answer := outputAnswer{event: output.Event.handle}
		if output.Route != "" {
			answer.hasRoute, answer.route = 1, spanOf(output.Route)
		}
		outputsAnswered = append(outputsAnswered, answer)
	}
	list := span{uint32(uintptr(unsafe.Pointer(unsafe.SliceData(outputsAnswered)))), uint32(len(outputsAnswered))}
	transformAnswered = transformAnswer{0, list, 0}
	return unsafe.Pointer(&transformAnswered)
}
