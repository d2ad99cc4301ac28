module mask

go 1.24

require paddlewheel v0.1.0

replace paddlewheel => ../../.paddle/sdk/go
