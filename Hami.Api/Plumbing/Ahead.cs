using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Hami.Api.Plumbing;

/// <summary>Lets what makes a sequence run ahead of who takes it, on a thread of its own.</summary>
internal static class Ahead
{
    /// <summary>The same sequence; at most so much of it waits to be taken.</summary>
    public static async IAsyncEnumerable<T> MadeAheadAsync<T>(this IAsyncEnumerable<T> source, int most, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var waiting = Channel.CreateBounded<T>(new BoundedChannelOptions(most) { SingleReader = true, SingleWriter = true });
        var making = Task.Run(() => MakeAsync(source, waiting.Writer, over.Token), CancellationToken.None);
        try
        {
            await foreach (var made in waiting.Reader.ReadAllAsync(cancellationToken))
                yield return made;
        }
        finally
        {
            await over.CancelAsync();
            await making;
        }
    }

    private static async Task MakeAsync<T>(IAsyncEnumerable<T> source, ChannelWriter<T> waiting, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var made in source.WithCancellation(cancellationToken))
                await waiting.WriteAsync(made, cancellationToken);
            waiting.Complete();
        }
        catch (Exception e)
        {
            // Thrown to who takes.
            waiting.Complete(e);
        }
    }
}
