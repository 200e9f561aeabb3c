using System.Globalization;
using System.Text;
using System.Threading.Channels;
using GraphQL;
using Hami.Api.Asking;

namespace Hami.Api.Plumbing.GraphQL;

/// <summary>Answers as server-sent events: <c>next</c> with a result, its id the position in the log, and <c>complete</c> at the end (graphql-sse).</summary>
internal sealed class ServerSentEvents(IGraphQLTextSerializer serializer, TimeProvider time)
{
    public const string MediaType = "text/event-stream";

    /// <summary>How often something is sent where nothing changes, so that nobody between takes the connection for dead.</summary>
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    /// <summary>How long a reader may take nothing at all before the connection is cut.</summary>
    private static readonly TimeSpan WriteWithin = TimeSpan.FromSeconds(30);

    /// <summary>One result that is there already.</summary>
    public async Task TellAsync(HttpContext http, ExecutionResult result)
    {
        await BeginAsync(http);
        await WriteAsync(http, Next(result) + Complete);
    }

    /// <summary>Results as they come, until the stream ends, the time is over or the client goes.</summary>
    public async Task TellAsync(HttpContext http, IObservable<ExecutionResult> stream, CancellationToken until)
    {
        var box = Channel.CreateBounded<ExecutionResult>(new BoundedChannelOptions(Limits.Waiting) { SingleReader = true });
        using var subscription = stream.Subscribe(new Box(box.Writer));
        await BeginAsync(http);
        try
        {
            var waiting = box.Reader.WaitToReadAsync(until).AsTask();
            while (true)
            {
                using var beat = CancellationTokenSource.CreateLinkedTokenSource(until);
                var first = await Task.WhenAny(waiting, Task.Delay(Heartbeat, time, beat.Token));
                await beat.CancelAsync();
                if (first != waiting)
                {
                    await WriteAsync(http, ":\n\n");
                    continue;
                }
                if (!await waiting)
                    break;
                var text = new StringBuilder();
                while (text.Length < 1 << 16 && box.Reader.TryRead(out var result))
                    text.Append(Next(result));
                await WriteAsync(http, text.ToString());
                waiting = box.Reader.WaitToReadAsync(until).AsTask();
            }
            await WriteAsync(http, Complete);
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested)
        {
            // The time is over: the client resumes, and is asked again who it is.
            await WriteAsync(http, Complete);
        }
        catch (OperationCanceledException)
        {
            // The client is gone.
        }
    }

    // An empty data line, as browsers drop events without one.
    private const string Complete = "event: complete\ndata: \n\n";

    private string Next(ExecutionResult result)
    {
        var id = result.Extensions?.GetValueOrDefault(PositionedSubscription.Position) is long position
            ? $"id: {position.ToString(CultureInfo.InvariantCulture)}\n" : "";
        // JSON on one line: a line break would end the field.
        return $"event: next\n{id}data: {serializer.Serialize(result)}\n\n";
    }

    private static async Task BeginAsync(HttpContext http)
    {
        http.Response.ContentType = MediaType + "; charset=utf-8";
        http.Response.Headers.CacheControl = "no-cache, no-store";
        http.Response.Headers["X-Accel-Buffering"] = "no";
        await WriteAsync(http, ":\n\n");
    }

    private static async Task WriteAsync(HttpContext http, string text)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        patience.CancelAfter(WriteWithin);
        try
        {
            await http.Response.WriteAsync(text, patience.Token);
            await http.Response.Body.FlushAsync(patience.Token);
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested)
        {
            http.Abort();
            throw;
        }
    }

    /// <summary>Takes results as quickly as they come; one that does not fit ends it, with a sentence.</summary>
    private sealed class Box(ChannelWriter<ExecutionResult> writer) : IObserver<ExecutionResult>
    {
        private bool _isFull;

        public void OnNext(ExecutionResult value)
        {
            if (_isFull || writer.TryWrite(value))
                return;
            _isFull = true;
            // Behind what waits, as soon as there is room again.
            _ = EndAsync(new ExecutionResult(ChangeFeed.TooSlow()));
        }

        public void OnError(Exception error)
        {
            if (!_isFull)
                _ = EndAsync(new ExecutionResult(error as ExecutionError ?? new ExecutionError("The subscription broke off: resume it with the id of the last event as Last-Event-ID.")));
        }

        public void OnCompleted()
        {
            if (!_isFull)
                writer.TryComplete();
        }

        private async Task EndAsync(ExecutionResult last)
        {
            try
            {
                await writer.WriteAsync(last);
                writer.TryComplete();
            }
            catch (ChannelClosedException)
            {
                // It has ended otherwise.
            }
        }
    }
}
