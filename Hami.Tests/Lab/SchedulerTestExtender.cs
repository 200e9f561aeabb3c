using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Hami.Tests.Lab;

/// <summary>A scheduler extender that keeps every body and answers as it is told.</summary>
internal sealed class SchedulerTestExtender : IAsyncDisposable
{
    private readonly WebApplication _server;

    private SchedulerTestExtender(X509Certificate2? certificate)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            if (certificate is not null)
                listen.UseHttps(certificate, https =>
                {
                    https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
                    https.AllowAnyClientCertificate();
                });
        }));
        _server = builder.Build();
        _server.MapPost("/filter", http => Answer(http, Filters, Filter));
        _server.MapPost("/prioritize", http => Answer(http, Priorities, Prioritize));
        _server.MapPost("/preempt", http => Answer(http, Preemptions, Preempt));
        _server.MapPost("/bind", http => Answer(http, Binds, Bind));
    }

    public ConcurrentQueue<JsonObject> Filters { get; } = new();

    public ConcurrentQueue<JsonObject> Binds { get; } = new();

    /// <summary>Answers a filter; fits every node at first.</summary>
    public Func<JsonObject, Task<string>> Filter { get; set; } = body =>
        Task.FromResult($$"""{"Nodes":null,"NodeNames":{{body["NodeNames"]!.ToJsonString()}},"FailedNodes":{},"Error":""}""");

    public ConcurrentQueue<JsonObject> Priorities { get; } = new();

    public Func<JsonObject, Task<string>> Prioritize { get; set; } = _ => Task.FromResult("[]");

    public ConcurrentQueue<JsonObject> Preemptions { get; } = new();

    /// <summary>Answers a preempt; agrees with the scheduler at first.</summary>
    public Func<JsonObject, Task<string>> Preempt { get; set; } = body =>
        Task.FromResult($$"""{"NodeNameToMetaVictims":{{body["NodeNameToMetaVictims"]!.ToJsonString()}}}""");

    public Func<JsonObject, Task<string>> Bind { get; set; } = _ => Task.FromResult("""{"Error":""}""");

    public Uri Address => new(_server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());

    /// <summary>Whom the last caller said to be, with its certificate.</summary>
    public string? Caller { get; private set; }

    public static async Task<SchedulerTestExtender> Start(X509Certificate2? certificate = null)
    {
        var extender = new SchedulerTestExtender(certificate);
        await extender._server.StartAsync();
        return extender;
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private async Task Answer(HttpContext http, ConcurrentQueue<JsonObject> bodies, Func<JsonObject, Task<string>> answer)
    {
        var body = (await JsonNode.ParseAsync(http.Request.Body))!.AsObject();
        Caller = http.Connection.ClientCertificate?.Subject;
        bodies.Enqueue(body);
        http.Response.ContentType = "application/json";
        var text = await answer(body);
        if (text.Length == 0)
            http.Response.StatusCode = StatusCodes.Status500InternalServerError;
        await http.Response.WriteAsync(text);
    }
}
