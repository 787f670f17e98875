package proxy

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
)

// The types and flags of frames (RFC 9113, section 6).
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameSettings     = 0x4
	framePing         = 0x6
	frameGoAway       = 0x7
	frameContinuation = 0x9

	flagEndStream  = 0x1
	flagEndHeaders = 0x4
	flagAck        = 0x1

	refusedStream = 0x7
)

// ok is a header block that says ":status: 200" (RFC 7541, appendix A).
var ok = []byte{0x88}

// frame is one frame of HTTP/2.
type frame struct {
	kind, flags byte
	stream      uint32
	payload     []byte
}

// peer is the server's end of a connection that speaks HTTP/2 by hand, so that it can stall where a
// test wants it to.
type peer struct {
	net.Conn
	number int // of the connection, from 1
}

func (p *peer) write(kind, flags byte, stream uint32, payload []byte) {
	head := make([]byte, 9, 9+len(payload))
	binary.BigEndian.PutUint32(head, uint32(len(payload))<<8)
	head[3], head[4] = kind, flags
	binary.BigEndian.PutUint32(head[5:], stream)
	_, _ = p.Write(append(head, payload...)) // the gateway may have gone
}

// preface reads what a client begins with.
func (p *peer) preface() error {
	_, err := io.ReadFull(p, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
	return err
}

func (p *peer) read() (frame, error) {
	var head [9]byte
	if _, err := io.ReadFull(p, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{kind: head[3], flags: head[4], stream: binary.BigEndian.Uint32(head[5:]),
		payload: make([]byte, binary.BigEndian.Uint32(head[:])>>8)}
	_, err := io.ReadFull(p, f.payload)
	return f, err
}

// serve answers the preface with settings, and then calls on for every frame that is no business of
// the connection alone, until on returns false or the connection ends.
func (p *peer) serve(settings []byte, on func(frame) bool) {
	if p.preface() != nil {
		return
	}
	p.write(frameSettings, 0, 0, settings)
	for {
		f, err := p.read()
		switch {
		case err != nil:
			return
		case f.kind == frameSettings && f.flags&flagAck == 0:
			p.write(frameSettings, flagAck, 0, nil)
		case f.kind == framePing && f.flags&flagAck == 0:
			p.write(framePing, flagAck, 0, f.payload)
		case f.stream != 0 && !on(f):
			return
		}
	}
}

// hold reads nothing any more, and waits for the end of the test.
func (p *peer) hold(t *testing.T) { <-t.Context().Done() }
