using System.Net.Sockets;
using k8s.Models;

namespace Hami.Lab.Kubelet.Lifecycle;

/// <summary>What came of a probe or a hook.</summary>
/// <param name="Said">Why it failed, as the kubelet words it; empty when it did not.</param>
internal sealed record HandlerResult(bool Succeeded, string Said)
{
    public static readonly HandlerResult Fine = new(true, "");

    public static HandlerResult Failed(string said) => new(false, said.Trim());
}

/// <summary>Runs a command in a container, asks its web server or knocks at its port: what probes and hooks are made of.</summary>
internal sealed class Handlers(Launcher launcher, string podAddress, TimeProvider time) : IDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
#pragma warning disable MA0039, CA5359 // A kubelet does not verify what it probes.
        SslOptions = { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
#pragma warning restore MA0039, CA5359
    });

    public Task<HandlerResult> Exec(IRunningContainer process, IList<string> command, TimeSpan patience, CancellationToken cancellationToken) => Try(
        async ct =>
        {
            var run = await process.Exec(launcher, [.. command], ct);
            return run.ExitCode == 0 ? HandlerResult.Fine : HandlerResult.Failed(run.Output + run.Errors);
        },
        $"command timed out: \"{string.Join(' ', command)}\" timed out after {GoDuration.Of(patience)}",
        patience,
        cancellationToken);

    public async Task<HandlerResult> Get(V1HTTPGetAction ask, V1Container container, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (Port(ask.Port, container) is not { } port)
            return HandlerResult.Failed($"couldn't find port: {ask.Port?.Value}");
        var address = $"{(ask.Scheme ?? "HTTP").ToLowerInvariant()}://{ask.Host ?? podAddress}:{port}/{(ask.Path ?? "").TrimStart('/')}";
        return await Try(
            async ct =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, address);
                request.Headers.TryAddWithoutValidation("User-Agent", "kube-probe/1.36");
                foreach (var header in ask.HttpHeaders ?? [])
                    request.Headers.TryAddWithoutValidation(header.Name, header.Value);
                try
                {
                    using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
                    return (int)answer.StatusCode is >= 200 and < 400 ? HandlerResult.Fine : HandlerResult.Failed($"HTTP probe failed with statuscode: {(int)answer.StatusCode}");
                }
                catch (HttpRequestException e)
                {
                    return HandlerResult.Failed($"Get \"{address}\": {(e.InnerException is SocketException socket ? Refused(ask.Host ?? podAddress, port, socket) : e.Message)}");
                }
            },
            $"Get \"{address}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
            patience,
            cancellationToken);
    }

    public async Task<HandlerResult> Knock(V1TCPSocketAction ask, V1Container container, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (Port(ask.Port, container) is not { } port)
            return HandlerResult.Failed($"couldn't find port: {ask.Port?.Value}");
        return await Try(
            async ct =>
            {
                using var client = new TcpClient();
                try
                {
                    await client.ConnectAsync(ask.Host ?? podAddress, port, ct);
                    return HandlerResult.Fine;
                }
                catch (SocketException e)
                {
                    return HandlerResult.Failed(Refused(ask.Host ?? podAddress, port, e));
                }
            },
            $"dial tcp {ask.Host ?? podAddress}:{port}: i/o timeout",
            patience,
            cancellationToken);
    }

    public void Dispose() => _http.Dispose();

    // Whatever goes wrong is a failure that is told: a probe that threw would never be made again, and nobody would know.
    private async Task<HandlerResult> Try(
        Func<CancellationToken, Task<HandlerResult>> act, string tooLate, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var enough = new CancellationTokenSource(patience, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(enough.Token, cancellationToken);
        try
        {
            return await act(both.Token);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            return HandlerResult.Failed(e is OperationCanceledException ? tooLate : e.Message);
        }
    }

    private static string Refused(string host, int port, SocketException e) =>
        $"dial tcp {host}:{port}: {(e.SocketErrorCode is SocketError.ConnectionRefused ? "connect: connection refused" : e.Message)}";

    // A number, or the name of one of the container's ports.
    private static int? Port(IntOrString? port, V1Container container) =>
        int.TryParse(port?.Value, out var number) ? number : container.Ports?.FirstOrDefault(p => p.Name == port?.Value)?.ContainerPort;
}
