using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>HTTPS to webhooks: each trusts only the CA bundle of its own configuration, and the name or address in the URL must be on the certificate.</summary>
internal sealed class WebhookClients : IDisposable
{
    private readonly ConcurrentDictionary<string, HttpClient> _byBundle = new(StringComparer.Ordinal);

    public async Task<JsonObject> Post(JsonObject webhook, JsonObject review, TimeProvider time)
    {
        var seconds = webhook.NumberAt("timeoutSeconds") ?? 10;
        var url = webhook.TextAt("clientConfig", "url")
            ?? throw new HttpRequestException($"service \"{webhook.TextAt("clientConfig", "service", "name")}\" not found");
        var target = new UriBuilder(url) { Query = $"timeout={seconds}s" }.Uri;
        using var request = new HttpRequestMessage(HttpMethod.Post, target);
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue(new ProductHeaderValue("kube-apiserver-admission")));
        request.Headers.Accept.ParseAdd("application/json, */*");
        request.Content = new ByteArrayContent(Json.Utf8(review));
        request.Content.Headers.ContentType = new("application/json");
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(seconds), time);
        try
        {
            using var response = await Client(webhook.TextAt("clientConfig", "caBundle")).SendAsync(request, timeout.Token);
            var body = await response.Content.ReadAsByteArrayAsync(timeout.Token);
            if (!response.IsSuccessStatusCode)
                throw new HttpRequestException($"the server responded with the status code {(int)response.StatusCode} but did not return more information");
            return Json.Parse(body) as JsonObject ?? throw new HttpRequestException("the webhook returned no object");
        }
        catch (OperationCanceledException e) when (timeout.IsCancellationRequested)
        {
            throw new HttpRequestException($"Post \"{target}\": context deadline exceeded", e);
        }
        catch (HttpRequestException e) when (e.StatusCode is null && e.InnerException is not null)
        {
            throw new HttpRequestException($"Post \"{target}\": {e.InnerException.Message}", e);
        }
    }

    public void Dispose()
    {
        foreach (var client in _byBundle.Values)
            client.Dispose();
    }

    private HttpClient Client(string? bundle) => _byBundle.GetOrAdd(bundle ?? "", static text =>
    {
        var roots = new X509Certificate2Collection();
        if (text.Length > 0)
            roots.ImportFromPem(System.Text.Encoding.UTF8.GetString(Convert.FromBase64String(text)));
        var handler = new SocketsHttpHandler { PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30), UseProxy = false };
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, errors) => Trusts(roots, certificate, errors);
        return new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
    });

    private static bool Trusts(X509Certificate2Collection roots, X509Certificate? certificate, SslPolicyErrors errors)
    {
        if (certificate is null || errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch) || errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable))
            return false;
        if (roots.Count == 0)
            return errors is SslPolicyErrors.None;
        using var chain = new X509Chain();
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(roots);
        using var copy = X509CertificateLoader.LoadCertificate(certificate.GetRawCertData());
        return chain.Build(copy);
    }
}
