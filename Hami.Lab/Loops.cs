namespace Hami.Lab;

/// <summary>Loops that go on until their owner stops; one that ends before that says so, because nobody waits for it.</summary>
internal static partial class Loops
{
    public static Task Run(string name, Func<Task> loop, ILogger log, CancellationToken stop) => Task.Run(
        async () =>
        {
            try
            {
                await loop();
            }
            catch (Exception e) when (!stop.IsCancellationRequested)
            {
                HasEnded(log, name, e);
                throw;
            }
        },
        CancellationToken.None);

    [LoggerMessage(Level = LogLevel.Critical, Message = "A loop has ended that should not have: {Name}.")]
    private static partial void HasEnded(ILogger logger, string name, Exception exception);
}
