using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http.Features;

namespace Hami.Api.Plumbing;

/// <summary>A request's body was not taken; the message says why in one sentence.</summary>
/// <param name="status">The HTTP status that says the same.</param>
internal sealed class BodyRefusedException(int status, string message, Exception? inner = null) : Exception(message, inner)
{
    public int Status { get; } = status;
}

/// <summary>Reads bodies of one kind of request: no larger than their limit, not for ever, and only a few large ones at a time.</summary>
/// <param name="mostBytes">Largest body that is taken.</param>
/// <param name="largeAtOnce">How many over a mebibyte are in memory at the same time; further ones wait for their turn.</param>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "One per endpoint, for the life of the process.")]
internal sealed class BoundedBody(int mostBytes, int largeAtOnce = 8)
{
    private const int Large = 1 << 20;
    private const int FirstBytes = 16 << 10;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60); // HAMi's read timeout

    // So many buffers of the largest size and no more: what hostile bodies can make us keep is known beforehand.
    private readonly ArrayPool<byte> _buffers = ArrayPool<byte>.Create(mostBytes, largeAtOnce);
    private readonly SemaphoreSlim _large = new(largeAtOnce);

    private int MostBytes { get; } = mostBytes;

    /// <summary>Reads the whole body into one buffer, which is the caller's until it is disposed of.</summary>
    /// <exception cref="BodyRefusedException">It is too large, too slow, or broke off.</exception>
    public async ValueTask<Read> ReadAsync(HttpRequest request)
    {
        // Ours is the limit, with an answer in the shape the caller expects; a server-wide one would cut the connection.
        if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } server)
            server.MaxRequestBodySize = null;
        if (request.ContentLength > MostBytes)
            throw TooLarge();

        var body = new Read(this, (int)Math.Min(request.ContentLength ?? FirstBytes, Large));
        try
        {
            // A body that is here already, as nearly all are, is read without a clock.
            if (!request.BodyReader.TryRead(out var first) || !Take(request.BodyReader, first, body))
                await ReadRestAsync(request, body);
            // JSON is UTF-8; a reader that finds out only on the way fails each time in another manner.
            return Utf8.IsValid(body.Bytes.Span) ? body : throw new BodyRefusedException(StatusCodes.Status400BadRequest, "the request body is not UTF-8 text");
        }
        catch (BadHttpRequestException e)
        {
            body.Dispose();
            throw new BodyRefusedException(e.StatusCode, $"the request body could not be read: {e.Message.TrimEnd('.')}", e);
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }

    private async Task ReadRestAsync(HttpRequest request, Read body)
    {
        var aborted = request.HttpContext.RequestAborted;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(aborted);
        patience.CancelAfter(Patience);
        try
        {
            bool ended;
            do
            {
                var part = await request.BodyReader.ReadAsync(patience.Token);
                if (body.Length + part.Buffer.Length > Large)
                    await body.TakeTurnAsync(patience.Token);
                ended = Take(request.BodyReader, part, body);
            }
            while (!ended);
        }
        catch (OperationCanceledException e) when (!aborted.IsCancellationRequested)
        {
            throw new BodyRefusedException(StatusCodes.Status408RequestTimeout, $"the request body did not arrive within {Patience.TotalSeconds:F0} s", e);
        }
    }

    /// <summary>Takes what has arrived.</summary>
    /// <returns>True when the body has ended.</returns>
    private bool Take(PipeReader reader, ReadResult result, Read body)
    {
        if (!body.MayTake(result.Buffer.Length))
        {
            reader.AdvanceTo(result.Buffer.Start);
            return false;
        }
        var tooLarge = body.Length + result.Buffer.Length > MostBytes;
        if (!tooLarge)
            body.Append(result.Buffer);
        reader.AdvanceTo(result.Buffer.End);
        return tooLarge ? throw TooLarge() : result.IsCompleted;
    }

    private BodyRefusedException TooLarge() =>
        new(StatusCodes.Status413PayloadTooLarge, $"the request body is larger than the {MostBytes >> 20} MiB that are read here");

    /// <summary>A body in memory.</summary>
    internal sealed class Read(BoundedBody kind, int firstBytes) : IDisposable
    {
        private byte[] _buffer = ArrayPool<byte>.Shared.Rent(Math.Max(firstBytes, 1));
        private ArrayPool<byte> _from = ArrayPool<byte>.Shared;
        private bool _hasTurn;

        public int Length { get; private set; }

        public ReadOnlyMemory<byte> Bytes => _buffer.AsMemory(0, Length);

        public void Dispose()
        {
            var buffer = Interlocked.Exchange(ref _buffer, []);
            if (buffer.Length == 0)
                return;
            _from.Return(buffer);
            if (_hasTurn)
                kind._large.Release();
        }

        internal async Task TakeTurnAsync(CancellationToken cancellationToken)
        {
            if (_hasTurn)
                return;
            await kind._large.WaitAsync(cancellationToken);
            _hasTurn = true;
        }

        /// <summary>Whether so many more fit without becoming a large body, or it may be one.</summary>
        internal bool MayTake(long more) => _hasTurn || Length + more <= Large;

        internal void Append(in ReadOnlySequence<byte> more)
        {
            var needed = Length + (int)more.Length;
            if (needed > _buffer.Length)
                Grow(Math.Max(needed, _buffer.Length * 2));
            more.CopyTo(_buffer.AsSpan(Length));
            Length = needed;
        }

        private void Grow(int size)
        {
            var (pool, bytes) = size <= Large ? (ArrayPool<byte>.Shared, size) : (kind._buffers, kind.MostBytes);
            var larger = pool.Rent(bytes);
            Bytes.CopyTo(larger);
            _from.Return(_buffer);
            (_buffer, _from) = (larger, pool);
        }
    }
}
