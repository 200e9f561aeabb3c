using Hami.NodeAgent.Plumbing.Cluster;
using Hami.NodeAgent.Plumbing.Settings;
using Hami.NodeAgent.Registering;

namespace Hami.NodeAgent.Plumbing;

/// <summary>Serves <c>GET /healthz</c> where <c>--http-bind</c> asks for it: the process lives and its pods' watch runs.</summary>
internal sealed partial class HealthEndpoint(
    AgentOptions options, PodsOnNode pods, PluginStreams streams, CardInventory inventory, SettingsFiles files, ILoggerFactory logs, ILogger<HealthEndpoint> log) : IHostedService, IAsyncDisposable
{
    private WebApplication? app;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.HttpBind is not { } address)
            return;
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore();
        builder.Services.AddSingleton(logs).AddSingleton<IHostLifetime, NoLifetime>().AddRoutingCore();
        app = builder.Build();
        app.Urls.Add(address.Contains("://", StringComparison.Ordinal) ? address : $"http://{address}");
        // Always 200: with the API server or the kubelet away a restart of the agent would mend nothing.
        app.MapGet("/healthz", () => Results.Text(
            $"ok\npods: {(pods.Synced ? "known" : "not yet known")}\nkubelet: {(streams.Open > 0 ? "watching" : "not watching")}\n"
            + $"cards: {inventory.Cards.Length}, healthy: {inventory.Cards.Count(c => c.Healthy)}\nconfiguration: {(files.Faults is [var fault, ..] ? fault : "read")}\n"));
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch (Exception e) when (e is IOException or FormatException)
        {
            // Devices are handed out all the same.
            LogNoAddress(address, e.Message);
            await app.DisposeAsync();
            app = null;
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => app?.StopAsync(cancellationToken) ?? Task.CompletedTask;

    public ValueTask DisposeAsync() => app?.DisposeAsync() ?? ValueTask.CompletedTask;

    [LoggerMessage(LogLevel.Error, "No /healthz at {Address} ({Reason}); give --http-bind a free address and start again")]
    private partial void LogNoAddress(string address, string reason);
}
