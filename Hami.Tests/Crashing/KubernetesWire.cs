using System.Net;
using System.Net.Http.Headers;

namespace Hami.Tests.Crashing;

/// <summary>What stands between a process and the API server: a handler within the process's client.</summary>
internal sealed class KubernetesWire() : Wire(Usual), IAsyncDisposable
{
    private static readonly Fault[] Usual = [Fault.Delay, Fault.LoseRequest, Fault.LoseReply, Fault.CutReply, Fault.Repeat, Fault.ComeLate];

    private readonly InFlight _late = new();

    // What comes late outlives the client that gave it up.
    private readonly HttpMessageInvoker _network = new(new SocketsHttpHandler());

    /// <summary>Completes when nothing is on its way whose sender has given it up.</summary>
    public Task NothingLate => _late.Nothing;

    /// <summary>The handler of a new client.</summary>
    public DelegatingHandler Handler() => new Carrier(this);

    public async ValueTask DisposeAsync()
    {
        Cut();
        await NothingLate;
        _network.Dispose();
    }

    private sealed class Carrier(KubernetesWire wire) : DelegatingHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            wire.ThrowIfDown();
            var fate = wire.Next();
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, wire.Down);
            try
            {
                switch (fate.Fault)
                {
                    case Fault.LoseRequest:
                        throw wire.Lost(fate);
                    case Fault.Delay:
                        await Task.Delay(fate.Late, either.Token);
                        break;
                    case Fault.Repeat when await CopyAsync(request) is { } again:
                        (await base.SendAsync(again, either.Token)).Dispose();
                        break;
                    case Fault.ComeLate when await CopyAsync(request) is { } late:
                        wire._late.Add(wire.ComeLateAsync(late, fate.Late));
                        throw wire.Lost(fate);
                }
                var answer = await base.SendAsync(request, either.Token);
                if (fate.Fault is Fault.LoseReply)
                {
                    answer.Dispose();
                    throw wire.Lost(fate);
                }
                // A watch goes on for as long as it is not cut; other answers are short.
                answer.Content = new Broken(answer.Content, fate.Fault is Fault.CutReply ? (int)(fate.Detail % 400) : int.MaxValue, wire.Down);
                return answer;
            }
            catch (OperationCanceledException) when (wire.Down.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                throw wire.Lost(default);
            }
        }

        /// <summary>The request once more; null for a watch, whose answer has no end.</summary>
        private static async Task<HttpRequestMessage?> CopyAsync(HttpRequestMessage request)
        {
            if (request.RequestUri!.Query.Contains("watch=", StringComparison.Ordinal))
                return null;
            var copy = new HttpRequestMessage(request.Method, request.RequestUri);
            foreach (var (name, values) in request.Headers)
                copy.Headers.TryAddWithoutValidation(name, values);
            if (request.Content is not null)
            {
                copy.Content = new ByteArrayContent(await request.Content.ReadAsByteArrayAsync());
                copy.Content.Headers.ContentType = request.Content.Headers.ContentType is { } type ? MediaTypeHeaderValue.Parse(type.ToString()) : null;
            }
            return copy;
        }
    }

    private async Task ComeLateAsync(HttpRequestMessage request, TimeSpan late)
    {
        await Task.Delay(late, CancellationToken.None);
        try
        {
            (await _network.SendAsync(request, CancellationToken.None)).Dispose();
        }
        catch (HttpRequestException)
        {
            // Nobody waits for it.
        }
    }

    private void ThrowIfDown()
    {
        if (Down.IsCancellationRequested)
            throw Lost(default);
    }

    private HttpRequestException Lost(Fate fate)
    {
        if (fate.Ends)
            OnEnd();
        return new("the connection broke", new IOException("the test's network"));
    }

    /// <summary>Requests that go on without their senders.</summary>
    private sealed class InFlight
    {
        private readonly Lock _gate = new();
        private Task _all = Task.CompletedTask;

        public Task Nothing
        {
            get
            {
                lock (_gate)
                    return _all;
            }
        }

        public void Add(Task request)
        {
            lock (_gate)
                _all = Task.WhenAll(_all, request);
        }
    }

    /// <summary>An answer that breaks off after so many bytes, or when the wire is cut.</summary>
    private sealed class Broken : HttpContent
    {
        private readonly HttpContent _whole;
        private readonly int _after;
        private readonly CancellationToken _down;

        public Broken(HttpContent whole, int after, CancellationToken down)
        {
            (_whole, _after, _down) = (whole, after, down);
            foreach (var (name, values) in whole.Headers)
                Headers.TryAddWithoutValidation(name, values);
        }

        protected override async Task<Stream> CreateContentReadStreamAsync() => new BrokenStream(await _whole.ReadAsStreamAsync(_down), _after, _down);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await using var broken = await CreateContentReadStreamAsync();
            await broken.CopyToAsync(stream);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                _whole.Dispose();
            base.Dispose(disposing);
        }
    }

    private sealed class BrokenStream(Stream whole, int after, CancellationToken down) : Stream
    {
        private int _left = after;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_left == 0)
                throw new IOException("the answer broke off");
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, down);
            try
            {
                var read = await whole.ReadAsync(buffer[..Math.Min(buffer.Length, _left)], either.Token);
                _left -= read;
                return read;
            }
            catch (OperationCanceledException e) when (down.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                throw new IOException("the connection broke", e);
            }
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        /// <summary>So the client reads what is no watch; that is here already, or soon.</summary>
        public override int Read(byte[] buffer, int offset, int count)
        {
            if (_left == 0 || down.IsCancellationRequested)
                throw new IOException("the answer broke off");
            var read = whole.Read(buffer, offset, Math.Min(count, _left));
            _left -= read;
            return read;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                whole.Dispose();
            base.Dispose(disposing);
        }
    }
}
