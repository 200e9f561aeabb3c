using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;

namespace Hami.Api.Observing;

/// <summary>Prometheus did not answer as it should; the message says so in one sentence.</summary>
internal sealed class PrometheusException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// Asks <c>/api/v1/query_range</c> (Prometheus' HTTP API). Its certificate is always looked at; redirects are not followed, as they could lead the
/// header elsewhere. Both files are read again when they have changed.
/// </summary>
internal sealed class PrometheusClient(PrometheusOptions options) : IDisposable
{
    private const int MostBytes = 1 << 20;
    private const int LongestReason = 200;

    private readonly Lock _gate = new();
    private readonly Uri _query = new($"{options.Address.AbsoluteUri.TrimEnd('/')}/api/v1/query_range");
    private HttpClient? _client;
    private string? _authorities;

    public void Dispose() => _client?.Dispose();

    /// <summary>The values of the one series that the query gives, by the moments from the first on that are a step apart; null where it has none.</summary>
    /// <exception cref="PrometheusException">It did not answer as it should.</exception>
    public async Task<double?[]> RangeAsync(string query, DateTimeOffset first, TimeSpan step, int count, CancellationToken cancellationToken)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, _query)
            {
                Content = new FormUrlEncodedContent(
                [
                    new("query", query), new("start", Seconds(first)), new("end", Seconds(first + (count - 1) * step)),
                    new("step", step.TotalSeconds.ToString(CultureInfo.InvariantCulture)), new("timeout", $"{options.Timeout.TotalSeconds.ToString(CultureInfo.InvariantCulture)}s"),
                ]),
            };
            if (options.AuthorizationFile is { } file)
                request.Headers.TryAddWithoutValidation("Authorization", (await File.ReadAllTextAsync(file, cancellationToken)).Trim());
            using var answer = await Client().SendAsync(request, cancellationToken);
            var body = await answer.Content.ReadAsByteArrayAsync(cancellationToken);
            return Values(answer.StatusCode, body, first, step, count);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new PrometheusException(
                $"Prometheus did not answer within {options.Timeout.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s: ask for a shorter time, or for less of the cluster.", e);
        }
        catch (HttpRequestException e) when (e.HttpRequestError is HttpRequestError.ConfigurationLimitExceeded)
        {
            throw new PrometheusException($"Prometheus answered with more than {MostBytes >> 20} MiB, which no trend is.", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new PrometheusException($"Prometheus cannot be asked for what is older than {TelemetryLimits.Kept.TotalDays} days: {Plain((e.InnerException ?? e).Message)}", e);
        }
    }

    private static double?[] Values(HttpStatusCode status, byte[] body, DateTimeOffset first, TimeSpan step, int count)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            var answer = json.RootElement;
            // Errors are JSON too, with a status of 400, 422 or 503.
            if (answer.GetProperty("status").GetString() is not "success")
                throw new PrometheusException($"Prometheus refused: {Plain(answer.GetProperty("error").GetString() ?? "")}");
            var data = answer.GetProperty("data");
            if (data.GetProperty("resultType").GetString() is not "matrix" || data.GetProperty("result") is not { ValueKind: JsonValueKind.Array } result || result.GetArrayLength() > 1)
                throw Nonsense(status);
            var values = new double?[count];
            foreach (var point in result.EnumerateArray().SelectMany(series => series.GetProperty("values").EnumerateArray()))
            {
                var place = (point[0].GetDouble() - first.ToUnixTimeMilliseconds() / 1000.0) / step.TotalSeconds;
                if (place != Math.Round(place) || place < 0 || place >= count)
                    throw Nonsense(status);
                var text = point[1].GetString()!;
                values[(int)place] = text is "NaN" or "+Inf" or "-Inf" ? null : double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);
            }
            return values;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException or IndexOutOfRangeException)
        {
            throw Nonsense(status, e);
        }
    }

    private static PrometheusException Nonsense(HttpStatusCode status, Exception? inner = null) => new(
        status is HttpStatusCode.OK
            ? "What answers at --prometheus-address does not answer as Prometheus does: see whether the address is that of its HTTP API."
            : $"What answers at --prometheus-address answered with {(int)status}: see to the address, and to the file of --prometheus-authorization-file.", inner);

    private HttpClient Client()
    {
        var now = options.AuthorityFile is { } file ? File.ReadAllText(file) : null;
        lock (_gate)
        {
            if (_client is null || now != _authorities)
            {
                // The one before is left to those who still ask with it.
                _client = new(Handler(now)) { Timeout = options.Timeout, MaxResponseContentBufferSize = MostBytes };
                _authorities = now;
            }
            return _client;
        }
    }

    private static SocketsHttpHandler Handler(string? pem)
    {
        var handler = new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5) };
        if (pem is null)
            return handler;
        handler.SslOptions.CertificateChainPolicy = new()
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true,
        };
        handler.SslOptions.CertificateChainPolicy.CustomTrustStore.AddRange(Authorities(pem));
        return handler;
    }

    /// <summary>The authorities of a PEM file.</summary>
    /// <exception cref="CryptographicException">There are none.</exception>
    internal static X509Certificate2Collection Authorities(string pem)
    {
        var trusted = new X509Certificate2Collection();
        trusted.ImportFromPem(pem);
        return trusted.Count > 0 ? trusted : throw new CryptographicException("the file of --prometheus-ca-file holds no PEM certificate");
    }

    /// <summary>Somebody else's words, on one line and not too many.</summary>
    private static string Plain(string text) => string.Concat(text.Take(LongestReason).Select(c => char.IsControl(c) ? ' ' : c));

    private static string Seconds(DateTimeOffset at) => at.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
}
