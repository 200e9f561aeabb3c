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

    public async Task<HandlerResult> Exec(ContainerProcess process, IList<string> command, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var enough = new CancellationTokenSource(patience, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(enough.Token, cancellationToken);
        try
        {
            var run = await process.Exec(launcher, [.. command], both.Token);
            return run.ExitCode == 0 ? HandlerResult.Fine : HandlerResult.Failed(run.Output + run.Errors);
        }
        catch (OperationCanceledException) when (enough.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return HandlerResult.Failed($"command timed out: \"{string.Join(' ', command)}\" timed out after {GoDuration.Of(patience)}");
        }
        catch (ContainerStartException e)
        {
            return HandlerResult.Failed(e.Message);
        }
    }

    public async Task<HandlerResult> Get(V1HTTPGetAction ask, V1Container container, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (Port(ask.Port, container) is not { } port)
            return HandlerResult.Failed($"couldn't find port: {ask.Port?.Value}");
        var address = $"{(ask.Scheme ?? "HTTP").ToLowerInvariant()}://{ask.Host ?? podAddress}:{port}/{(ask.Path ?? "").TrimStart('/')}";
        using var enough = new CancellationTokenSource(patience, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(enough.Token, cancellationToken);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            request.Headers.TryAddWithoutValidation("User-Agent", "kube-probe/1.36");
            foreach (var header in ask.HttpHeaders ?? [])
                request.Headers.TryAddWithoutValidation(header.Name, header.Value);
            using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, both.Token);
            return (int)answer.StatusCode is >= 200 and < 400 ? HandlerResult.Fine : HandlerResult.Failed($"HTTP probe failed with statuscode: {(int)answer.StatusCode}");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return HandlerResult.Failed($"Get \"{address}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
        }
        catch (HttpRequestException e)
        {
            return HandlerResult.Failed($"Get \"{address}\": {(e.InnerException is SocketException socket ? Refused(ask.Host ?? podAddress, port, socket) : e.Message)}");
        }
    }

    public async Task<HandlerResult> Knock(V1TCPSocketAction ask, V1Container container, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (Port(ask.Port, container) is not { } port)
            return HandlerResult.Failed($"couldn't find port: {ask.Port?.Value}");
        using var enough = new CancellationTokenSource(patience, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(enough.Token, cancellationToken);
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(ask.Host ?? podAddress, port, both.Token);
            return HandlerResult.Fine;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return HandlerResult.Failed($"dial tcp {ask.Host ?? podAddress}:{port}: i/o timeout");
        }
        catch (SocketException e)
        {
            return HandlerResult.Failed(Refused(ask.Host ?? podAddress, port, e));
        }
    }

    public void Dispose() => _http.Dispose();

    private static string Refused(string host, int port, SocketException e) =>
        $"dial tcp {host}:{port}: {(e.SocketErrorCode is SocketError.ConnectionRefused ? "connect: connection refused" : e.Message)}";

    // A number, or the name of one of the container's ports.
    private static int? Port(IntOrString? port, V1Container container) =>
        int.TryParse(port?.Value, out var number) ? number : container.Ports?.FirstOrDefault(p => p.Name == port?.Value)?.ContainerPort;
}
