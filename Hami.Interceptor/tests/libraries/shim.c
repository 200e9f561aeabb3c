/* Names that look like the driver's. */
int curl_easy_init(void)
{
    return 7;
}

int cublasCreate_v2(void)
{
    return 7;
}

int cuMemAlloc_v2(void)
{
    return 7;
}
