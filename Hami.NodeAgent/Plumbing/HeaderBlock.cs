using System.Buffers;

namespace Hami.NodeAgent.Plumbing;

/// <summary>A request's headers as HTTP/2 sends them (RFC 7541), read just far enough to take a value out.</summary>
internal static class HeaderBlock
{
    // ":authority" by its place in HPACK's own table, spelled, and spelled in Huffman's code.
    private const int AuthorityIndex = 1;
    private static ReadOnlySpan<byte> Spelled => ":authority"u8;
    private static ReadOnlySpan<byte> Coded => [0xb8, 0x3b, 0x53, 0x39, 0xec, 0x32, 0x7d, 0x7f];

    /// <summary>Writes the block with every <c>:authority</c> empty; one that is not understood as it is.</summary>
    /// <remarks>
    /// Both sides number the headers they have seen, the newest first, and forget the oldest by their sizes. A value that is shorter than the
    /// sender thinks makes the receiver forget later, which the sender cannot notice; a longer one would shift the numbers.
    /// </remarks>
    public static void WithoutAuthority(ReadOnlySpan<byte> block, IBufferWriter<byte> into)
    {
        var rewritten = new ArrayBufferWriter<byte>(block.Length + 1);
        var rest = block;
        while (!rest.IsEmpty)
        {
            var header = rest;
            if (!TryTake(ref rest, out var isAuthority, out var beforeValue))
            {
                into.Write(block);
                return;
            }
            header = header[..^rest.Length];
            if (isAuthority)
            {
                rewritten.Write(header[..beforeValue]);
                rewritten.Write<byte>([0]);
            }
            else
            {
                rewritten.Write(header);
            }
        }
        into.Write(rewritten.WrittenSpan);
    }

    // Takes one header, or one change of the table's size, off the rest.
    private static bool TryTake(ref ReadOnlySpan<byte> rest, out bool isAuthority, out int beforeValue)
    {
        var (all, first) = (rest.Length, rest[0]);
        (isAuthority, beforeValue) = (false, 0);
        if ((first & 0x80) != 0)
            return TryInteger(ref rest, 7, out _);
        if ((first & 0xe0) == 0x20)
            return TryInteger(ref rest, 5, out _);
        if (!TryInteger(ref rest, (first & 0x40) != 0 ? 6 : 4, out var index))
            return false;
        isAuthority = index == AuthorityIndex;
        if (index == 0)
        {
            if (!TryString(ref rest, out var name, out var coded))
                return false;
            isAuthority = name.SequenceEqual(coded ? Coded : Spelled);
        }
        beforeValue = all - rest.Length;
        return TryString(ref rest, out _, out _);
    }

    private static bool TryString(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> text, out bool coded)
    {
        text = default;
        coded = !rest.IsEmpty && (rest[0] & 0x80) != 0;
        if (!TryInteger(ref rest, 7, out var length) || length > rest.Length)
            return false;
        text = rest[..length];
        rest = rest[length..];
        return true;
    }

    // RFC 7541, 5.1: a prefix of so many bits, and seven bits a byte while it is full.
    private static bool TryInteger(ref ReadOnlySpan<byte> rest, int bits, out int value)
    {
        value = 0;
        if (rest.IsEmpty)
            return false;
        var full = (1 << bits) - 1;
        value = rest[0] & full;
        rest = rest[1..];
        if (value < full)
            return true;
        for (var shift = 0; shift <= 21 && !rest.IsEmpty; shift += 7)
        {
            var next = rest[0];
            rest = rest[1..];
            value += (next & 0x7f) << shift;
            if ((next & 0x80) == 0)
                return true;
        }
        return false;
    }
}
