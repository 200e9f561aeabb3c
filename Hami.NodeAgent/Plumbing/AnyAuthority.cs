using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;

namespace Hami.NodeAgent.Plumbing;

/// <summary>
/// Lets Kestrel serve whatever a kubelet calls us. Before 1.26 kubelets put the socket's path into <c>:authority</c> (kubernetes#112597), newer
/// gRPC libraries its percent-encoding; Kestrel takes a host's name only and has no switch for it. On our socket the name says nothing.
/// </summary>
internal static class AnyAuthority
{
    private const int FrameHeader = 9, LongestFrame = 16384, LongestBlock = 64 << 10; // RFC 9113, 4.1 and 6.5.2; a kubelet's block has some 200 bytes
    private const byte Headers = 1, Continuation = 9;
    private const byte EndHeaders = 0x4, Padded = 0x8, Priority = 0x20;

    // Sent first on every connection.
    private static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;

    /// <summary>Serves the connection with the authority of every request taken out.</summary>
    public static async Task Serve(ConnectionContext connection, ConnectionDelegate next)
    {
        var transport = connection.Transport;
        var pipe = new Pipe();
        var copying = Copy(transport.Input, pipe.Writer);
        connection.Transport = new Pair(pipe.Reader, transport.Output);
        try
        {
            await next(connection);
        }
        finally
        {
            connection.Transport = transport;
            await pipe.Reader.CompleteAsync();
            transport.Input.CancelPendingRead();
            await copying;
        }
    }

    private static async Task Copy(PipeReader from, PipeWriter to)
    {
        Exception? broken = null;
        try
        {
            var frames = new Frames();
            while (true)
            {
                var read = await from.ReadAsync();
                var rest = read.Buffer;
                while (frames.TryPass(ref rest, to))
                {
                    // One at a time.
                }
                from.AdvanceTo(rest.Start, rest.End);
                if (read.IsCanceled || read.IsCompleted || (await to.FlushAsync()).IsCompleted)
                    break;
            }
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or OperationCanceledException)
        {
            // The connection broke: whoever reads from us is told.
            broken = e;
        }
        await to.CompleteAsync(broken);
    }

    private sealed record Pair(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    /// <summary>What is known between two frames.</summary>
    private sealed class Frames
    {
        // A block of headers that is not over yet, and the frame that began it.
        private readonly ArrayBufferWriter<byte> block = new();
        private readonly byte[] began = new byte[FrameHeader + 5];
        private bool prefaced;
        private bool strange;

        /// <summary>Passes on one frame; false when what is there holds none.</summary>
        public bool TryPass(ref ReadOnlySequence<byte> rest, PipeWriter to)
        {
            if (rest.IsEmpty)
                return false;
            if (strange)
                return Move(ref rest, rest.Length, to);
            if (!prefaced)
                return rest.Length >= Preface.Length && (prefaced = Move(ref rest, Preface.Length, to));
            if (rest.Length < FrameHeader)
                return false;
            Span<byte> head = stackalloc byte[FrameHeader];
            rest.Slice(0, FrameHeader).CopyTo(head);
            var length = (head[0] << 16) | (head[1] << 8) | head[2];
            if (length > LongestFrame)
                return strange = true; // Kestrel has the word for it.
            if (rest.Length < FrameHeader + length)
                return false;
            if (head[3] is not (Headers or Continuation))
                return Move(ref rest, FrameHeader + length, to);
            Span<byte> payload = stackalloc byte[LongestFrame];
            payload = payload[..length];
            rest.Slice(FrameHeader, length).CopyTo(payload);
            if (!TryAdd(head, payload))
                return strange = true;
            rest = rest.Slice(FrameHeader + length);
            if ((head[4] & EndHeaders) != 0)
                PassBlock(to);
            return true;
        }

        private static bool Move(ref ReadOnlySequence<byte> rest, long count, PipeWriter to)
        {
            foreach (var part in rest.Slice(0, count))
                to.Write(part.Span);
            rest = rest.Slice(count);
            return true;
        }

        // RFC 9113, 6.2 and 6.10; padding is left out.
        private bool TryAdd(ReadOnlySpan<byte> head, ReadOnlySpan<byte> payload)
        {
            if (head[3] == Headers)
            {
                var padding = 0;
                if ((head[4] & Padded) != 0)
                {
                    if (payload.IsEmpty)
                        return false;
                    padding = payload[0];
                    payload = payload[1..];
                }
                var priority = (head[4] & Priority) != 0 ? 5 : 0;
                if (payload.Length < priority + padding)
                    return false;
                head.CopyTo(began);
                payload[..priority].CopyTo(began.AsSpan(FrameHeader));
                payload = payload[priority..^padding];
            }
            if (block.WrittenCount + payload.Length > LongestBlock)
                return false;
            block.Write(payload);
            return true;
        }

        private void PassBlock(PipeWriter to)
        {
            var shorter = new ArrayBufferWriter<byte>(block.WrittenCount + 1);
            HeaderBlock.WithoutAuthority(block.WrittenSpan, shorter);
            block.ResetWrittenCount();
            var flags = (byte)(began[4] & ~(Padded | EndHeaders));
            var priority = began.AsSpan(FrameHeader, (flags & Priority) != 0 ? 5 : 0);
            var (rest, type) = (shorter.WrittenMemory, Headers);
            Span<byte> head = stackalloc byte[FrameHeader];
            do
            {
                var now = rest[..Math.Min(rest.Length, LongestFrame - priority.Length)];
                rest = rest[now.Length..];
                began.AsSpan(0, FrameHeader).CopyTo(head);
                BinaryPrimitives.WriteInt32BigEndian(head, (priority.Length + now.Length) << 8);
                head[3] = type;
                head[4] = (byte)(flags | (rest.IsEmpty ? EndHeaders : 0));
                to.Write(head);
                to.Write(priority);
                to.Write(now.Span);
                (type, flags) = (Continuation, 0);
                priority = default;
            }
            while (!rest.IsEmpty);
        }
    }
}
