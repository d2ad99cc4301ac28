//go:build !wasm

package paddlewheel

// Outside the host there are no events. The package compiles all the same, so that editors and a plugin's own unit tests work;
// what reaches for an event is tested with `paddle test`.

const outside = "there is no Paddlewheel host here: test what touches events with `paddle test`"

func hostID(uint32) string                           { panic(outside) }
func hostPartitionKey(uint32) string                 { panic(outside) }
func hostArrivedAtMS(uint32) uint64                  { panic(outside) }
func hostGet(uint32, string) (any, bool)             { panic(outside) }
func hostGetJSON(uint32, string) ([]byte, bool)      { panic(outside) }
func hostText(uint32, string) (string, bool)         { panic(outside) }
func hostHas(uint32, string) bool                    { panic(outside) }
func hostKeys(uint32, string) []string               { panic(outside) }
func hostExpand(uint32, string) []string             { panic(outside) }
func hostLength(uint32, string) (int, bool)          { panic(outside) }
func hostReplaceText(uint32, string, string) int     { panic(outside) }
func hostRemove(uint32, string) int                  { panic(outside) }
func hostRename(uint32, string, string) bool         { panic(outside) }
func hostJSON(uint32) (string, bool)                 { panic(outside) }
func hostData(uint32) []byte                         { panic(outside) }
func hostCopy(uint32) uint32                         { panic(outside) }
func hostDerive(uint32, []byte) uint32               { panic(outside) }
func hostDrop(uint32)                                { panic(outside) }
func hostLog(uint32, string)                         { panic(outside) }
func set(event uint32, path string, value any) error { panic(outside) }
func setText(event uint32, path, text string) error  { panic(outside) }
