using System.Buffers;

namespace Hami.Api.Plumbing;

/// <summary>A request body in one piece, in a rented array that is given back when disposed.</summary>
internal sealed class WholeBody : IDisposable
{
    private const int SmallestBytes = 16 << 10;

    private byte[] _rented;
    private int _length;

    private WholeBody(byte[] rented) => _rented = rented;

    public ReadOnlyMemory<byte> Bytes => _rented.AsMemory(0, _length);

    /// <summary>Reads all; Kestrel's own limit on bodies bounds it.</summary>
    public static async Task<WholeBody> ReadAsync(HttpRequest request)
    {
        var body = new WholeBody(ArrayPool<byte>.Shared.Rent((int)Math.Clamp((request.ContentLength ?? 0) + 1, SmallestBytes, int.MaxValue / 2)));
        try
        {
            while (await request.Body.ReadAsync(body._rented.AsMemory(body._length), request.HttpContext.RequestAborted) is var read and > 0)
            {
                body._length += read;
                if (body._length == body._rented.Length)
                    body.Grow();
            }
            return body;
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_rented);
        (_rented, _length) = ([], 0);
    }

    private void Grow()
    {
        var larger = ArrayPool<byte>.Shared.Rent(_rented.Length * 2);
        Bytes.CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_rented);
        _rented = larger;
    }
}
