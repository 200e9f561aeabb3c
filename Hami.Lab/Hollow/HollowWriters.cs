using System.Net;
using System.Threading.Channels;
using Hami.Lab.Cluster;

namespace Hami.Lab.Hollow;

/// <summary>One request about a pod.</summary>
internal sealed record PodWrite(HttpMethod Method, string Path, string Type, Func<string> Body);

/// <summary>Writes about pods: many at once, those about one pod in order; an outage is waited out.</summary>
internal sealed partial class HollowWriters(BareApi api, int count, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);
    private readonly Channel<PodWrite>[] _queues = [.. Enumerable.Range(0, count).Select(_ => Channel.CreateUnbounded<PodWrite>(new() { SingleReader = true }))];

    public void Write(HollowPod pod, HttpMethod method, string path, string type, Func<string> body) => Write(pod.Uid, method, path, type, body);

    public void Write(string uid, HttpMethod method, string path, string type, Func<string> body) =>
        _queues[(StringComparer.Ordinal.GetHashCode(uid) & int.MaxValue) % _queues.Length].Writer.TryWrite(new(method, path, type, body));

    public Task Run(CancellationToken cancellationToken) => Task.WhenAll(_queues.Select(q => Drain(q.Reader, cancellationToken)));

    private async Task Drain(ChannelReader<PodWrite> queue, CancellationToken cancellationToken)
    {
        await foreach (var write in queue.ReadAllAsync(cancellationToken))
        {
            while (!await Try(write, cancellationToken))
                await Task.Delay(Rest, time, cancellationToken);
        }
    }

    private async Task<bool> Try(PodWrite write, CancellationToken cancellationToken)
    {
        try
        {
            var (code, said) = await api.Send(write.Method, write.Path, write.Type, write.Body(), cancellationToken);
            // The pod is gone, or another one took its name: nobody to tell.
            if ((int)code < 400 || code is HttpStatusCode.NotFound or HttpStatusCode.Conflict)
                return true;
            NotWritten(log, write.Path, said);
            return (int)code < 500 && code is not HttpStatusCode.TooManyRequests;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            NotWritten(log, write.Path, e.Message);
            return false;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The API server did not take what a hollow node wrote to {Path}: {Sentence}")]
    private static partial void NotWritten(ILogger logger, string path, string sentence);
}
