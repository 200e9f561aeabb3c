using GraphQL;
using GraphQL.Types;
using Hami.Api.Access;
using Hami.Api.Plumbing;

namespace Hami.Api.Asking;

/// <summary>
/// Asks the first question itself: the schema, and the code that answers, are made with it, and on a busy machine that takes longer than a
/// question may.
/// </summary>
internal sealed class FirstQuestion(
    IDocumentExecuter executer, ISchema schema, IServiceScopeFactory scopes, Journal journal, TimeProvider time, ILogger<FirstQuestion> logger) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(AskAsync, time, logger, stoppingToken);

    private async Task AskAsync(CancellationToken stoppingToken)
    {
        // The log first: placement waits for that.
        await journal.Loaded.WaitAsync(stoppingToken);
        await using var scope = scopes.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<Asker>().Viewer = new("hami-api", Scope.Everything);
        // Whatever comes of it: the read models may not be there yet.
        await executer.ExecuteAsync(options =>
        {
            options.Schema = schema;
            options.Query = "{ eventCount allocations(first: 1) { items { id } } }";
            options.RequestServices = scope.ServiceProvider;
            options.CancellationToken = stoppingToken;
        });
    }
}
